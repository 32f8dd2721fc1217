"""One Google API over REST: JSON requests and answers, with the handlers that gRPC uses."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from localcloud.core.api_errors import ApiError
from localcloud.front.contract import Method
from localcloud.front.dispatch import Dispatcher
from localcloud.front.transcoding import Match, RuleTable, read_request, to_json
from localcloud.services.storage.partial_response import select
from localcloud.services.storage.storage_errors import StorageError

_JSON = "application/json; charset=UTF-8"


class RestApi:
    """Answers every request line that the API's contract has; a Starlette endpoint."""

    def __init__(self, methods: Iterable[Method], dispatcher: Dispatcher) -> None:
        self._rules = RuleTable(methods)
        self._dispatcher = dispatcher

    def rpc_of(self, verb: str, path: str) -> str:
        """`Service/Method` of a request line; "": no method has it."""
        match = self._rules.find(verb, path)
        return match.method.rpc if match else ""

    async def answer(self, request: Request) -> Response:
        """Raises ApiError: NOT_FOUND for a request line that no method has, and the handler's own refusals."""
        match = self._rules.find(request.method, request.url.path)
        if match is None:
            raise ApiError("NOT_FOUND", f"No method of {request.url.hostname} has {request.method} {request.url.path}.")
        body = await request.body()
        return await run_in_threadpool(self._call, match, body, request)

    def _call(self, match: Match, body: bytes, request: Request) -> Response:
        message = read_request(match, body, request.query_params.multi_items())
        result = self._dispatcher.call(match.method, message, match.version)
        integer_enums = "enum-encoding=int" in request.query_params.get("$alt", "")
        if match.method.streams_response:
            return _stream(result, sse=request.query_params.get("alt") == "sse", integer_enums=integer_enums)
        if isinstance(result, HttpBody):
            return Response(result.data, media_type=result.content_type)
        text = to_json(result, integer_enums=integer_enums)
        fields = request.query_params.get("fields") or request.query_params.get("$fields")
        return Response(_selected(text, fields) if fields else text, media_type=_JSON)


def _selected(text: str, fields: str) -> str:
    """The part of an answer that the system parameter `fields` asks for. Raises ApiError INVALID_ARGUMENT."""
    try:
        return json.dumps(select(json.loads(text), fields), ensure_ascii=False)
    except StorageError as error:
        raise ApiError("INVALID_ARGUMENT", error.message) from None


def _stream(results: Iterator[Message], *, sse: bool, integer_enums: bool) -> Response:
    # Wait for the first message, so that a refusal can still be an HTTP status.
    first = next(results, None)
    messages = _chain(first, results)
    if isinstance(first, HttpBody):
        return StreamingResponse((part.data for part in messages), media_type=first.content_type)
    texts = (to_json(message, integer_enums=integer_enums) for message in messages)
    if sse:
        return StreamingResponse((f"data: {text}\r\n\r\n" for text in texts), media_type="text/event-stream")
    return StreamingResponse(_json_array(texts), media_type=_JSON)


def _chain(first: Message | None, rest: Iterator[Message]) -> Iterator[Any]:
    if first is not None:
        yield first
        yield from rest


def _json_array(texts: Iterator[str]) -> Iterator[str]:
    yield "["
    for index, text in enumerate(texts):
        yield f",\r\n{text}" if index else text
    yield "]"
