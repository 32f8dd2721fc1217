"""Any value of ours as JSON on standard output, for programs."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vertex_vllm.cli.terminal import say_json
from vertex_vllm.redaction import redacted


def print_json(value: Any) -> None:
    """Dataclasses as objects, times in ISO 8601."""
    plain = json.loads(json.dumps(value, default=_plain))
    say_json(json.dumps(redacted(plain), indent=2))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else list(value)
