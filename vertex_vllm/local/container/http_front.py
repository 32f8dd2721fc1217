"""The container's HTTP front: Vertex AI's routes, and vLLM's own passed through."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from vertex_vllm.local.container.predictions import (
    CHAT_COMPLETIONS,
    COMPLETIONS,
    Chat,
    Prompt,
    RequestError,
    read_request,
)

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Headers of one connection only, or set by this server itself.
_CONNECTION_HEADERS = {
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "accept-encoding",
    "date",
    "server",
}
# vLLM's words, for a server without --trust-request-chat-template.
_UNTRUSTED_TEMPLATE = (
    "Chat template is passed with request, but --trust-request-chat-template is not set. "
    "Refused request with untrusted chat template."
)

Handler = Callable[[Request], Awaitable[Response]]


class VllmRefusal(Exception):
    """vLLM answered with an error; it is passed on as it is."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.text)
        self.response = Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


class Front:
    """`socket` is vLLM's. vLLM knows its model by `served_name`; requests may use any name for it."""

    def __init__(self, socket: Path, *, served_name: str, speaks_vertex: bool, trusts_templates: bool) -> None:
        # Nothing is encrypted on a Unix socket, so no certificates need to be read.
        limits = httpx.Limits(max_connections=None)
        transport = httpx.AsyncHTTPTransport(uds=str(socket), limits=limits, verify=False, trust_env=False)
        self._vllm = httpx.AsyncClient(transport=transport, base_url="http://vllm", timeout=None, trust_env=False)
        self._served_name = served_name
        self._trusts_templates = trusts_templates
        self._names = {served_name}
        routes = [Route("/ping", self._ping, methods=["GET"])]
        if speaks_vertex:
            routes.append(Route("/generate", self._generate, methods=["POST"]))
        routes.append(Route("/{path:path}", self._pass_through, methods=_METHODS))
        self.app = Starlette(
            routes=routes,
            exception_handlers={RequestError: _bad_request, VllmRefusal: _refusal, httpx.TransportError: _not_serving},
        )

    async def wait_healthy(self, interval_seconds: float) -> None:
        """Returns when vLLM serves."""
        while not await self._is_healthy():
            await asyncio.sleep(interval_seconds)
        models = await self._vllm.get("/v1/models")
        self._names |= {model["id"] for model in models.json()["data"]}

    async def close(self) -> None:
        await self._vllm.aclose()

    async def _is_healthy(self) -> bool:
        try:
            return (await self._vllm.get("/health")).status_code == 200
        except httpx.TransportError:
            return False

    async def _ping(self, request: Request) -> Response:
        return Response(status_code=200 if await self._is_healthy() else 503)

    async def _generate(self, request: Request) -> Response:
        asked = read_request(_parse(await request.body()))
        if isinstance(asked, Chat):
            return await self._chat(asked)
        answers = await asyncio.gather(*(self._complete(prompt) for prompt in asked))
        return JSONResponse({"predictions": [text for texts in answers for text in texts]})

    async def _chat(self, chat: Chat) -> Response:
        payload = self._prepared(chat.payload)
        if chat.streams or not chat.wrapped:
            return await self._forward("POST", CHAT_COMPLETIONS, json.dumps(payload).encode(), _JSON_HEADERS)
        return JSONResponse({"predictions": await self._ask(CHAT_COMPLETIONS, payload)})

    async def _complete(self, prompt: Prompt) -> list[str]:
        return prompt.answers(await self._ask(prompt.path, {**prompt.payload, "model": self._served_name}))

    async def _ask(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = await self._vllm.post(path, json=payload)
        if answer.status_code != 200:
            raise VllmRefusal(answer)
        document: dict[str, Any] = answer.json()
        return document

    async def _pass_through(self, request: Request) -> Response:
        body = await request.body()
        if "json" in request.headers.get("content-type", ""):
            body = self._with_known_name(request.url.path, body)
        headers = {name: value for name, value in request.headers.items() if name not in _CONNECTION_HEADERS}
        query = f"?{request.url.query}" if request.url.query else ""
        return await self._forward(request.method, f"{request.url.path}{query}", body, headers)

    async def _forward(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Response:
        """vLLM's answer, streamed part by part."""
        request = self._vllm.build_request(
            method, path, content=body, headers={**headers, "accept-encoding": "identity"}
        )
        answer = await self._vllm.send(request, stream=True)

        async def parts() -> AsyncIterator[bytes]:
            try:
                async for part in answer.aiter_raw():
                    yield part
            finally:
                await answer.aclose()

        passed = {name: value for name, value in answer.headers.items() if name not in _CONNECTION_HEADERS}
        return StreamingResponse(parts(), answer.status_code, headers=passed)

    def _with_known_name(self, path: str, body: bytes) -> bytes:
        try:
            payload = json.loads(body)
        except ValueError:
            return body
        if not isinstance(payload, dict) or not ("model" in payload or path in (COMPLETIONS, CHAT_COMPLETIONS)):
            return body
        return json.dumps(self._prepared(payload)).encode()

    def _prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The body with vLLM's name of the model in the place of any other or none; names of adapters stay."""
        template = payload.get("chat_template") or (payload.get("chat_template_kwargs") or {}).get("chat_template")
        if template and not self._trusts_templates:
            raise RequestError(_UNTRUSTED_TEMPLATE)
        if payload.get("model") in self._names:
            return payload
        return {**payload, "model": self._served_name}


_JSON_HEADERS = {"content-type": "application/json"}


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise RequestError(f"The body is not JSON: {error}") from error


async def _bad_request(request: Request, error: Exception) -> Response:
    fields = {"message": str(error), "type": "BadRequestError", "param": None, "code": 400}
    return JSONResponse({"error": fields}, 400)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, VllmRefusal)
    return error.response


async def _not_serving(request: Request, error: Exception) -> Response:
    fields = {"message": f"vLLM does not serve: {error}", "type": "ServiceUnavailable", "param": None, "code": 503}
    return JSONResponse({"error": fields}, 503)
