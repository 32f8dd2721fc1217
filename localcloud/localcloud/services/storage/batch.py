"""Batches of JSON API calls in one request (cloud.google.com/storage/docs/batch)."""

import json
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams

from localcloud.services.storage.backend import Backend
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.json_operations import run
from localcloud.services.storage.storage_errors import StorageError, invalid

LONGEST_BATCH = 16 << 20
_MOST_CALLS = 1000
_BOUNDARY = "batch_of_responses"


@dataclass(frozen=True)
class BatchAnswer:
    content_type: str
    body: bytes


def run_batch(content_type: str, body: bytes, base_url: str, backend: Backend) -> BatchAnswer:
    """Makes the calls in their order; each succeeds or fails alone.

    Raises StorageError (400) when the request is not a batch.
    """
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = message.get_payload()
    if not isinstance(parts, list) or not parts or len(parts) > _MOST_CALLS:
        raise invalid(f"A batch is multipart/mixed with 1 to {_MOST_CALLS} parts.")
    answers = [_answer(part, base_url, backend) for part in parts if isinstance(part, Message)]
    mark = b"--" + _BOUNDARY.encode()
    joined = b"".join(mark + b"\r\n" + answer + b"\r\n" for answer in answers)
    return BatchAnswer(f"multipart/mixed; boundary={_BOUNDARY}", joined + mark + b"--\r\n")


def _answer(part: Message, base_url: str, backend: Backend) -> bytes:
    try:
        reply = run(_call(part, base_url), backend)
        status, content = reply.status, _content(reply)
    except StorageError as error:
        status, content = error.status, b"" if error.status == 304 else error.json()
    identifier = part.get("Content-ID", "<>")
    headers = [
        "Content-Type: application/http",
        f"Content-ID: <response-{identifier.strip('<>')}>",
        "",
        f"HTTP/1.1 {status} {_phrase(status)}",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(content)}",
        "",
        "",
    ]
    return "\r\n".join(headers).encode() + content


def _call(part: Message, base_url: str) -> Call:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        raise invalid("A part of a batch is not application/http.")
    request_line, _, rest = payload.lstrip().partition(b"\n")
    words = request_line.decode("latin-1").split()
    if len(words) < 2:
        raise invalid(f"A part of a batch has no request line: {request_line!r}")
    address = urlsplit(words[1])
    inner = BytesParser().parsebytes(rest)
    headers = Headers({name.lower(): value for name, value in inner.items()})
    body = inner.get_payload(decode=True)
    content = body if isinstance(body, bytes) else b""
    return Call(words[0], address.path, QueryParams(address.query), headers, content, base_url, {})


def _content(reply: Reply) -> bytes:
    return b"" if reply.resource is None else json.dumps(reply.resource).encode()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Client Closed Request"
