"""Any value of ours as JSON on standard output, for programs."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click


def print_json(value: Any) -> None:
    """Dataclasses as objects, times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else list(value)
