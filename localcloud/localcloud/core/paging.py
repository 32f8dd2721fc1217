"""List methods: filter, order, pages."""

import base64
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.core.api_errors import ApiError
from localcloud.core.filters import Aliases, compile_filter, field_values

M = TypeVar("M", bound=Message)

# AIP-158: a service chooses its page size; Vertex AI's list methods answer at most 100.
_LARGEST_PAGE = 100


def page(
    messages: Sequence[M],
    request: Any,
    aliases: Aliases | None = None,
    largest: int = _LARGEST_PAGE,
    bound: str = "",
) -> tuple[list[M], str]:
    """The page of `messages` that a list request asks for, and the token of the next page ("": this is the last).

    Obeys the request's `filter`, `order_by`, `page_size` and `page_token`, where its type has them. `bound`: a token is
    refused by a request with another one. Raises ApiError INVALID_ARGUMENT for a wrong filter, a field to order by that
    is unknown or has no order, a negative page size, or a token not made here.
    """
    matches = compile_filter(getattr(request, "filter", ""), aliases)
    chosen = _ordered([message for message in messages if matches(message)], getattr(request, "order_by", ""))
    if request.page_size < 0:
        raise ApiError("INVALID_ARGUMENT", "page_size must not be negative.")
    start = _offset(request.page_token, bound)
    end = start + min(request.page_size or largest, largest)
    return chosen[start:end], _token(end, bound) if end < len(chosen) else ""


def _ordered(messages: list[M], order_by: str) -> list[M]:
    # Sorting is stable: by the last key first.
    for key in reversed([key.split() for key in order_by.split(",") if key.strip()]):
        if len(key) > 2 or key[1:] not in ([], ["asc"], ["desc"]):
            raise ApiError("INVALID_ARGUMENT", f"Invalid order_by: {order_by!r}.")
        messages = sorted(messages, key=partial(_sort_key, path=key[0].split(".")), reverse=key[1:] == ["desc"])
    return messages


def _sort_key(message: Message, path: list[str]) -> tuple[bool, Any]:
    values = [value.ToNanoseconds() if isinstance(value, Timestamp) else value for value in field_values(message, path)]
    if any(isinstance(value, Message) for value in values):
        raise ApiError("INVALID_ARGUMENT", f"Invalid order_by: {'.'.join(path)} is not a value.")
    return (bool(values), values)


def _token(offset: int, bound: str) -> str:
    return base64.urlsafe_b64encode(f"offset{bound}:{offset}".encode()).decode()


def _offset(token: str, bound: str) -> int:
    if not token:
        return 0
    try:
        label, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if label == f"offset{bound}" and number.isdigit():
            return int(number)
    except ValueError:  # binascii.Error and UnicodeDecodeError are ValueErrors
        pass
    raise ApiError("INVALID_ARGUMENT", "Invalid page token.")
