"""JSON out of a repository that anybody may have written."""

import codecs
import json

from vertex_vllm import encoded_text
from vertex_vllm.errors import PlanError
from vertex_vllm.model.stand_ins import stand_in


def parse_json(data: bytes, file: str) -> dict[str, object]:
    """The JSON object in `data`, UTF-8 without a byte order mark. Raises PlanError that names `file`."""
    text = utf8_text(data, file)
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        fault = stand_in(data) or f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        raise PlanError(fault, where=file) from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"
        raise PlanError(f"is not JSON: {reason}", where=file) from None
    if not isinstance(parsed, dict):
        raise PlanError("is not a JSON object", where=file)
    return parsed


def utf8_text(data: bytes, file: str) -> str:
    """The text in `data`. Raises PlanError for bytes that transformers and safetensors do not read.

    `json.loads` alone also reads UTF-16 and a byte order mark.
    """
    if data.startswith(codecs.BOM_UTF8):
        raise PlanError("begins with a byte order mark, which transformers does not read", where=file)
    try:
        return encoded_text.utf8_text(data)
    except ValueError as error:
        raise PlanError(str(error).partition(". ")[0], where=file) from None


def is_count(value: object) -> bool:
    """True for a number that can be a size or a count: an int, not a bool, from 0 to 2**62."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 62
