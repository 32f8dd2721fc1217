"""Suggestions for the commonest wrong values of a config."""

import math
import re
import shlex
from typing import Any

from vertex_vllm.config import shapes
from vertex_vllm.redaction import holds_secret

_ZONE = re.compile(rf"(?P<region>{shapes.REGION.strip('^$')})-[a-f]")
_COUNT = re.compile(r"(\d{1,6})([kKmM])")
_UNITS = {"k": 1024, "m": 1024 * 1024}
_LONGEST = 200


def hint(location: tuple[str | int, ...], kind: str, value: Any) -> str:
    """A sentence that says what to write, for pydantic's error `kind` of `value` at `location`; empty: no idea.

    The value itself is repeated only in a form that no token has.
    """
    if isinstance(value, str) and (holds_secret(value) or len(value) > _LONGEST):
        return ""
    name = str(location[-1]) if location else ""
    if kind == "model_type" and name == "model" and isinstance(value, str):
        return f"Write model: {{id: {value}}}" if re.fullmatch(shapes.MODEL_ID, value) else ""
    if kind == "string_pattern_mismatch" and name == "region" and isinstance(value, str):
        zone = _ZONE.fullmatch(value)
        return f"That is a zone; its region is {zone['region']}" if zone else ""
    if kind in ("int_type", "int_parsing") and isinstance(value, str):
        return _whole_number(value)
    if kind in ("less_than", "less_than_equal") and name in _SHARES:
        return _share(value)
    if kind == "list_type" and isinstance(value, str):
        return _entries(value)
    return ""


_SHARES = ("gpu_memory_utilization", "min_exact_match")


def _whole_number(text: str) -> str:
    if text.strip().isdigit():
        return f"Write {text.strip()} without quotes"
    count = _COUNT.fullmatch(text.strip())
    return f"Write {int(count[1]) * _UNITS[count[2].lower()]}" if count else ""


def _share(value: Any) -> str:
    per_cent = isinstance(value, int | float) and math.isfinite(value) and 2 <= value <= 100
    return f"Did you mean {value / 100:g}?" if per_cent else ""


def _entries(text: str) -> str:
    try:
        items = shlex.split(text)
    except ValueError:
        return ""
    plain = items and all(re.fullmatch(r"[\w./=:@-]+", item) for item in items)
    return f"Write [{', '.join(items)}]" if plain else ""
