"""Forwards requests to their services, over HTTP and gRPC, and records requests and answers."""

import base64
import gzip
import json
import threading
from collections.abc import Mapping
from typing import Any

import grpc
import requests
from google.protobuf import json_format
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from benchmarks.recordings.sending import grpc_host, methods_of_apis
from localcloud.front.contract import Method

# Longer bodies, mostly weights, do not show the behaviour of a service.
_LONGEST_BODY = 64 * 1024
_TIMEOUT_SECONDS = 600
_REQUEST_HEADERS = ("content-type", "content-range", "range", "if-match", "if-none-match", "x-upload-content-type")
_REQUEST_PREFIXES = ("x-goog-if-", "x-goog-meta-", "x-goog-hash", "x-goog-resumable")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"}
)
_RESPONSE_HEADERS_LEFT_OUT = _HOP_BY_HOP | {
    *("date", "server", "expires", "alt-svc", "via", "set-cookie", "report-to", "nel", "content-length", "age"),
    *(
        "x-guploader-uploadid",
        "x-request-id",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "x-amz-cf-id",
        "x-powered-by",
    ),
}
_CODES = {"CANCELLED": "Canceled"}


class Journal:
    """Exchanges in the order of their ends, and all seen tokens. Thread-safe."""

    def __init__(self) -> None:
        self.exchanges: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.left_out: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, exchange: dict[str, Any]) -> None:
        with self._lock:
            self.exchanges.append(exchange)

    def leave_out(self, host: str) -> None:
        with self._lock:
            self.left_out[host] = self.left_out.get(host, 0) + 1

    def see_token(self, authorization: str) -> None:
        token = authorization.partition(" ")[2].strip()
        if token:
            self.tokens.add(token)


class RecordingApp:
    """An ASGI application that forwards each request to its host, by the proxy and the certificates of this process."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._session = requests.Session()
        self._session.headers.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._forward, request, body)
        await response(scope, receive, send)

    def _forward(self, request: Request, body: bytes) -> Response:
        host = request.headers["host"].partition(":")[0]
        path = request.scope.get("raw_path", request.url.path.encode()).partition(b"?")[0].decode("ascii")
        query = request.scope["query_string"].decode("latin-1")
        url = f"https://{host}{path}" + (f"?{query}" if query else "")
        sent = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP | {"content-length"}}
        prepared = requests.Request(request.method, url, headers=sent, data=body or None).prepare()
        prepared.url = url  # unchanged, because `requests` would quote it differently
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        try:
            answered = self._session.send(prepared, allow_redirects=False, timeout=_TIMEOUT_SECONDS, **settings)
            content = answered.raw.read(decode_content=False)
        except requests.RequestException as error:
            self._journal.leave_out(host)
            return Response(f"The recorder got no answer from {host}: {error}\n", 502, media_type="text/plain")
        headers = {name.lower(): value for name, value in answered.headers.items()}
        self._journal.see_token(request.headers.get("authorization", ""))
        self._write(request, url, host, body, answered.status_code, headers, content)
        kept = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP | {"content-length"}}
        response = Response(content, answered.status_code, kept)
        if request.method == "HEAD" and "content-length" in headers:
            response.headers["content-length"] = headers["content-length"]
        return response

    def _write(
        self,
        request: Request,
        url: str,
        host: str,
        body: bytes,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
    ) -> None:
        if max(len(body), len(content)) > _LONGEST_BODY:
            self._journal.leave_out(host)
            return
        if headers.get("content-encoding") == "gzip" and "json" in headers.get("content-type", ""):
            # Without headers of transport: the next client may not accept the answer compressed.
            content = gzip.decompress(content)
            headers = {name: value for name, value in headers.items() if name != "content-encoding"}
        kind = request.headers.get("content-type", "")
        named = {
            name: value
            for name, value in request.headers.items()
            if name in _REQUEST_HEADERS or name.startswith(_REQUEST_PREFIXES)
        }
        if kind.startswith("application/json"):
            named.pop("content-type")
        shown = {name: value for name, value in headers.items() if name not in _RESPONSE_HEADERS_LEFT_OUT}
        self._journal.add(
            {
                "method": request.method,
                "url": url,
                "request_headers": named,
                "request_body": _written(body, kind),
                "status": status,
                "response_headers": shown,
                "response_body": _written(content, headers.get("content-type", "")),
            }
        )


class RecordingHandler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc carries no types
    """Forwards all gRPC calls unchanged; records only unary calls."""

    def __init__(self, journal: Journal, roots: bytes | None) -> None:
        """`roots`: the certificates by which the services are known; None: the system's."""
        self._journal = journal
        self._credentials = grpc.ssl_channel_credentials(roots)
        self._channels: dict[str, grpc.Channel] = {}
        self._methods = methods_of_apis()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method not in self._methods:
            return None
        api, method = self._methods[details.method]
        host = _host_of(api, dict(details.invocation_metadata).get("x-goog-request-params", ""))
        channel = self._channel(host)
        if method.streams_request or method.streams_response:
            self._journal.leave_out(host)
            return _streamed(channel, details.method, method)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._call(channel, method, request, context)
        )

    def _call(self, channel: grpc.Channel, method: Method, request: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = [pair for pair in context.invocation_metadata() if not pair[0].startswith(("user-agent", "grpc-"))]
        self._journal.see_token(str(dict(metadata).get("authorization", "")))
        try:
            answered: bytes = channel.unary_unary(method.path)(request, metadata=metadata, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            self._write(method, request, _code_name(error.code()), {}, error.details())
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details())
        self._write(method, request, "OK", _fields(method.response_type, answered), "")
        return answered

    def _channel(self, host: str) -> grpc.Channel:
        if host not in self._channels:
            self._channels[host] = grpc.secure_channel(f"{host}:443", self._credentials)
        return self._channels[host]

    def _write(self, method: Method, request: bytes, status: str, body: Any, message: str) -> None:
        exchange = {
            "method": "GRPC",
            "url": method.path,
            "request_body": _fields(method.request_type, request),
            "status": status,
            "response_headers": {},
            "response_body": body,
        }
        self._journal.add({**exchange, **({"grpc_message": message} if message else {})})


def _streamed(channel: grpc.Channel, path: str, method: Method) -> grpc.RpcMethodHandler:
    forward = {
        (False, True): (grpc.unary_stream_rpc_method_handler, channel.unary_stream),
        (True, False): (grpc.stream_unary_rpc_method_handler, channel.stream_unary),
        (True, True): (grpc.stream_stream_rpc_method_handler, channel.stream_stream),
    }
    handler, call = forward[method.streams_request, method.streams_response]
    return handler(lambda request, context: call(path)(request, metadata=context.invocation_metadata()))


def _host_of(api: str, request_params: str) -> str:
    """The host of a call, which gRPC's server does not report: from the API and, for Vertex AI, the region."""
    _, _, after = request_params.replace("%2F", "/").partition("/locations/")
    return grpc_host(api, after.partition("/")[0].partition("&")[0])


def _fields(message_type: Any, data: bytes) -> Any:
    return json_format.MessageToDict(message_type.FromString(data))


def _code_name(code: grpc.StatusCode) -> str:
    """`NOT_FOUND` → `NotFound`."""
    return _CODES.get(code.name, "".join(part.title() for part in code.name.split("_")))


def _written(body: bytes, content_type: str) -> Any:
    """The body in the form of a recording."""
    if not body:
        return None
    try:
        if content_type.startswith("application/json"):
            return json.loads(body)
        return body.decode()
    except ValueError:
        return {"base64": base64.b64encode(body).decode()}
