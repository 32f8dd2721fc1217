"""JSON out of a repository that anybody may have written."""

import json

from vertex_vllm.errors import PlanError


def parse_json(data: bytes, file: str) -> dict[str, object]:
    """The JSON object in `data`. Raises PlanError that names `file`."""
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"is not JSON: {type(error).__name__}", where=file) from None
    if not isinstance(parsed, dict):
        raise PlanError("holds no JSON object", where=file)
    return parsed


def is_count(value: object) -> bool:
    """True for a number that can be a size or a count: an int, not a bool, from 0 to 2**62."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 62
