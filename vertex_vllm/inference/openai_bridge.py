"""An endpoint of Vertex AI as an OpenAI-compatible server on this machine, for programs without Google credentials.

Evaluation harnesses take a base URL and a key that lasts. Google's access tokens last an hour; the bridge renews them.
"""

import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from vertex_vllm.errors import VertexVllmError
from vertex_vllm.inference.endpoint_connection import EndpointConnection

MODEL = "served"
"""Name of the endpoint's only model."""
_PATH = "/chat/completions"
_MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class Bridge:
    """Address and key of a bridge."""

    base_url: str
    """http://127.0.0.1:PORT/v1"""
    key: str
    """Random key of this bridge: other users of the machine cannot ask the endpoint through it."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that OpenAI's clients read, and inspect-ai for `openai-api/served/served`."""
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": self.key,
            "SERVED_BASE_URL": self.base_url,
            "SERVED_API_KEY": self.key,
        }


@contextmanager
def bridge_to(endpoint: str) -> Iterator[Bridge]:
    """Listens on a free port of 127.0.0.1 until the context ends. `endpoint`: its resource name.

    Raises InputError for a malformed name, and ServiceError without credentials.
    """
    connection = EndpointConnection(endpoint)
    connection.url("v1beta1", _PATH)  # Refused before anything listens, where the endpoint does not exist.
    key = secrets.token_urlsafe(32)

    class Handler(_Handler):
        asked, secret = connection, key

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Bridge(f"http://127.0.0.1:{server.server_port}/v1", key)
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    asked: EndpointConnection
    secret: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self._may_ask():
            return
        if self.path.rstrip("/") == "/v1/models":
            self._answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "vertex-vllm"}]})
        else:
            self._refuse(404, f"{self.path} is not served: only chat completions are")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= _MOST_BYTES:
            self.close_connection = True
            return self._refuse(413, f"a body of 1 to {_MOST_BYTES} bytes is needed")
        body = self.rfile.read(length)
        if not self._may_ask():
            return None
        if self.path != f"/v1{_PATH}":
            return self._refuse(404, f"{self.path} is not served: only /v1{_PATH} is")
        try:
            request: dict[str, Any] = {**json.loads(body), "model": ""}
        except (ValueError, TypeError):
            return self._refuse(400, "the body is not a JSON object")
        try:
            response = self.asked.post("v1beta1", _PATH, json.dumps(request).encode(), stream=True)
        except VertexVllmError as error:
            return self._refuse(getattr(error, "status", None) or 502, str(error))
        with response:
            self._pass_on(response)
        return None

    def _pass_on(self, response: requests.Response) -> None:
        self.send_response(response.status_code)
        self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in response.iter_content(chunk_size=None):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        except (requests.RequestException, OSError):
            self.close_connection = True  # Without the last chunk: the client sees that the answer broke off.

    def _may_ask(self) -> bool:
        given = self.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self.secret}".encode()):
            return True
        self._refuse(401, "the key is not this bridge's")
        return False

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, {"error": {"message": message, "type": "invalid_request_error", "code": status}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the harness shows its own progress."""
