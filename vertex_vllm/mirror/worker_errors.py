"""Errors of a worker process, sent as JSON values and raised again, data included, in the process that waits for it."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from vertex_vllm import errors
from vertex_vllm.error_data import ErrorText, Refusal
from vertex_vllm.errors import VertexVllmError, text_of


def fields_of(error: VertexVllmError) -> dict[str, Any]:
    """The error as JSON values: its class, its texts and its data."""
    data = {name: _plain(value) for name, value in vars(error).items() if name != "given"}
    return {**data, "error": type(error).__name__, **asdict(text_of(error))}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def error_from(fields: Mapping[str, Any]) -> VertexVllmError:
    """The error that another process gave as `fields_of`; a ServiceError where its class is not in errors.py."""
    data = dict(fields)
    kind = getattr(errors, data.pop("error"), errors.ServiceError)
    error: VertexVllmError = kind.__new__(kind)
    error.given = ErrorText(data.pop("message"), data.pop("where"), data.pop("fix"))
    error.__dict__.update(data, refusal=Refusal(**data["refusal"]) if data["refusal"] else None)
    error.args = (error.given.message,)
    return error
