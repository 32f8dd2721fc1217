"""The form of a recording: one sequence of exchanges a line, as JSON.

A sequence has `fixture` (its name), `service`, `tier` (how sure it is that the real service answered), `exchanges`,
and optionally `setup` (what has to exist first) and `ignore` (names of fields that this recording cannot judge). An
exchange has `method`, `url`, `request_body`, `status`, `response_headers`, `response_body`, and optionally
`request_headers`.

`method` is `GRPC` for a gRPC call: `url` is `/package.Service/Method`, bodies are proto JSON, `status` is the name of
the code. A body is a JSON value, a text, `{"base64": …}`, `{"multipart": […]}` or `{"raw": …, "content_type": …}`.
Names that the recorded project or service gave stand as `${name}`, or as numbers of 12 and more digits.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BOUNDARY = b"recorded"


@dataclass(frozen=True)
class Exchange:
    """A request and its recorded answer."""

    method: str
    """HTTP method, or `GRPC`."""
    url: str
    """URL; for gRPC, `/package.Service/Method`."""
    request_body: Any
    status: int | str
    """HTTP status, or the name of the gRPC code."""
    response_body: Any
    request_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    """Names of fields that the comparison skips."""
    compare_first_item: bool = False
    """Whether lists of the project's resources are compared by the form of their items, as for GET requests."""


@dataclass(frozen=True)
class Sequence:
    """The exchanges of one recording, in order."""

    fixture: str
    """Name of the recording."""
    service: str
    tier: str
    """Degree of certainty that the real service answered."""
    exchanges: tuple[Exchange, ...]
    setup: tuple[Mapping[str, Any], ...] = ()
    """Resources that must exist before the first exchange."""
    ignore: tuple[str, ...] = ()
    """Names of fields that this recording cannot judge."""


def read_sequences(file: Path) -> Iterator[Sequence]:
    """The sequences in a file. Raises ValueError, with the line's number, for a line that is not a sequence."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _sequence(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{file}, line {number}: not a recorded sequence: {error!r}") from error


def encoded_body(body: Any, fill: Callable[[str], str]) -> tuple[bytes | None, str]:
    """The bytes of a request's body and their Content-Type ("": unknown). `fill` replaces names."""
    match body:
        case None:
            return None, ""
        case str():
            return fill(body).encode(), ""
        case {"base64": str(text), **rest} if not rest:
            return base64.b64decode(text), ""
        case {"raw": raw, "content_type": str(content_type), **rest} if not rest:
            return (base64.b64decode(raw["base64"]) if isinstance(raw, dict) else fill(raw).encode()), content_type
        case {"multipart": list(parts), **rest} if not rest:
            written = b"".join(_part(part, fill) for part in parts)
            return written + b"--" + _BOUNDARY + b"--\r\n", f"multipart/related; boundary={_BOUNDARY.decode()}"
    return fill(json.dumps(body)).encode(), "application/json"


def _part(part: Mapping[str, Any], fill: Callable[[str], str]) -> bytes:
    data = part.get("data", "")
    content = base64.b64decode(data["base64"]) if isinstance(data, dict) else str(data).encode()
    if "json" in part:
        content = fill(json.dumps(part["json"])).encode()
    kind = "application/json" if "json" in part else part.get("content_type", "")
    head = f"Content-Type: {kind}\r\n".encode() if kind else b""
    return b"--" + _BOUNDARY + b"\r\n" + head + b"\r\n" + content + b"\r\n"


def _sequence(fields: Mapping[str, Any]) -> Sequence:
    return Sequence(
        fields["fixture"],
        fields["service"],
        fields["tier"],
        tuple(_exchange(exchange) for exchange in fields["exchanges"]),
        tuple(fields.get("setup") or ()),
        tuple(fields.get("ignore") or ()),
    )


def _exchange(fields: Mapping[str, Any]) -> Exchange:
    return Exchange(
        fields["method"],
        fields["url"],
        fields.get("request_body"),
        fields["status"],
        fields.get("response_body"),
        fields.get("request_headers") or {},
        fields.get("response_headers") or {},
        tuple(fields.get("ignore") or ()),
        bool(fields.get("compare_first_item")),
    )
