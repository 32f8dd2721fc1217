"""PredictionService: predictions over gRPC, and over REST by routes that pass bytes on while they arrive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import httpx
from google.api.httpbody_pb2 import HttpBody
from google.cloud.aiplatform_v1beta1.types import PredictResponse
from google.protobuf.message import Message
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.registration import Service
from localcloud.services.vertex.container_client import answer_stream, ask, close_answer, open_answer
from localcloud.services.vertex.predictions import (
    chat_body,
    container_body,
    fill_response,
    prediction_answer,
    read_json_object,
    refuse_predict_of_invoked,
    request_document,
)
from localcloud.services.vertex.targets import (
    Target,
    find_target,
    is_dedicated_domain,
    largest_request,
    too_large,
)

service = Service("google.cloud.aiplatform.v1beta1.PredictionService")

_JSON = "application/json"
# Not passed to the container: the caller's credentials, and headers of one connection only.
_WITHHELD = {
    "authorization",
    "proxy-authorization",
    "host",
    "content-length",
    "accept-encoding",
    "expect",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
}


@service.method("Predict")
def predict(request: Any, cloud: Cloud) -> Message:
    _check_size(request)
    target = find_target(request.endpoint, "", cloud)
    refuse_predict_of_invoked(target)
    body = container_body(request_document(request))
    with answer_stream(target, body, _JSON) as answer:
        return fill_response(PredictResponse.pb()(), prediction_answer(answer.read(), target))


@service.method("RawPredict")
def raw_predict(request: Any, cloud: Cloud) -> Message:
    _check_size(request)
    target = find_target(request.endpoint, "", cloud)
    refuse_predict_of_invoked(target)
    with answer_stream(target, request.http_body.data, _content_type(request)) as answer:
        return HttpBody(content_type=answer.headers.get("content-type", _JSON), data=answer.read())


@service.method("StreamRawPredict")
def stream_raw_predict(request: Any, cloud: Cloud) -> Iterator[Message]:
    _check_size(request)
    target = find_target(request.endpoint, "", cloud)
    refuse_predict_of_invoked(target)
    return _parts(target, request.http_body.data, _content_type(request))


@service.method("ChatCompletions")
def chat_completions(request: Any, cloud: Cloud) -> Iterator[Message]:
    _check_size(request)
    target = find_target(request.endpoint, "", cloud)
    refuse_predict_of_invoked(target)
    return _parts(target, chat_body(request.http_body.data), _JSON)


async def _rest_predict(request: Request) -> Response:
    body = await _read_body(request)
    target = await _find_target(request)
    refuse_predict_of_invoked(target)
    asked = ask(target, target.predict_route, container_body(read_json_object(body)), {"content-type": _JSON})
    answer = await _while_caller_stays(request, asked)
    if answer.status_code != 200:
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
    return JSONResponse(prediction_answer(answer.content, target))


async def _rest_raw_predict(request: Request) -> Response:
    body = await _read_body(request)
    target = await _find_target(request)
    refuse_predict_of_invoked(target)
    return await _pass_on(request, target, target.predict_route, body, _forwarded_headers(request))


async def _rest_chat_completions(request: Request) -> Response:
    body = await _read_body(request)
    target = await _find_target(request)
    refuse_predict_of_invoked(target)
    return await _pass_on(request, target, target.predict_route, chat_body(body), {"content-type": _JSON})


async def _rest_invoke(request: Request) -> Response:
    body = await _read_body(request)
    target = await _find_target(request, request.path_params.get("deployed_model", ""))
    if not target.invoked:
        raise ApiError(
            "FAILED_PRECONDITION", "The Model was uploaded without invoke_route_prefix: use predict or rawPredict."
        )
    query = f"?{request.url.query}" if request.url.query else ""
    path = f"/{request.path_params['path']}{query}"
    return await _pass_on(request, target, path, body, _forwarded_headers(request), request.method)


def _routes(version: str) -> list[Route]:
    endpoint = f"/{version}/projects/{{project}}/locations/{{location}}/endpoints/{{endpoint}}"
    handlers: list[tuple[str, Callable[[Request], Awaitable[Response]], list[str]]] = [
        (f"{endpoint}:predict", _rest_predict, ["POST"]),
        (f"{endpoint}:rawPredict", _rest_raw_predict, ["POST"]),
        (f"{endpoint}:streamRawPredict", _rest_raw_predict, ["POST"]),
        (f"{endpoint}/chat/completions", _rest_chat_completions, ["POST"]),
        (f"{endpoint}/invoke/{{path:path}}", _rest_invoke, ["GET", "POST"]),
        (f"{endpoint}/deployedModels/{{deployed_model}}/invoke/{{path:path}}", _rest_invoke, ["GET", "POST"]),
    ]
    return [Route(path, _limited(handler), methods=methods) for path, handler, methods in handlers]


class _TooLargeForDedicated(Exception):
    """A request is too large for a dedicated endpoint, whose answer lacks Vertex AI's usual error body."""


def _limited(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except _TooLargeForDedicated:
            return PlainTextResponse("Payload Too Large", 413)

    return answer


async def _read_body(request: Request) -> bytes:
    dedicated = is_dedicated_domain(_host(request))
    limit = largest_request(dedicated)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit and dedicated:
            raise _TooLargeForDedicated
    if len(body) > limit:
        raise too_large(len(body))
    return bytes(body)


async def _find_target(request: Request, deployed_model_id: str = "") -> Target:
    parts = request.path_params
    name = f"projects/{parts['project']}/locations/{parts['location']}/endpoints/{parts['endpoint']}"
    return await run_in_threadpool(find_target, name, _host(request), request.app.state.cloud, deployed_model_id)


def _host(request: Request) -> str:
    return request.headers.get("host", "").partition(":")[0].lower()


def _forwarded_headers(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name not in _WITHHELD}


async def _pass_on(
    request: Request, target: Target, path: str, body: bytes, headers: dict[str, str], method: str = "POST"
) -> Response:
    answer = await _while_caller_stays(request, open_answer(target, path, body, headers, method))

    async def parts() -> AsyncIterator[bytes]:
        try:
            async for part in answer.aiter_raw():
                yield part
        finally:
            await close_answer(answer)

    media_type = answer.headers.get("content-type")
    return StreamingResponse(parts(), answer.status_code, headers=target.headers, media_type=media_type)


async def _while_caller_stays(request: Request, work: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """The result of `work`, which is cancelled if the caller disconnects. Raises ApiError CANCELLED in that case."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_caller_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError("CANCELLED", "The caller has hung up.")
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()


async def _caller_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_size(request: Any) -> None:
    if request.ByteSize() > largest_request(dedicated=False):
        raise too_large(request.ByteSize())


def _content_type(request: Any) -> str:
    return request.http_body.content_type or _JSON


def _parts(target: Target, body: bytes, content_type: str) -> Iterator[Message]:
    with answer_stream(target, body, content_type) as answer:
        for part in answer.iter_raw():
            yield HttpBody(content_type=answer.headers.get("content-type", _JSON), data=part)


ROUTES = tuple(route for version in ("v1", "v1beta1") for route in _routes(version))
