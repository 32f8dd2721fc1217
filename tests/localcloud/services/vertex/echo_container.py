"""A user's own serving container, as the local cloud runs it: a program that answers Vertex AI's routes.

Its environment and its requests control it: CRASH ends it before it is healthy, UNHEALTHY keeps it unhealthy.
"""

import json
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Container(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == os.environ["AIP_HEALTH_ROUTE"]:
            self._answer(503 if "UNHEALTHY" in os.environ else 200, b"", "text/plain")
        else:
            self._answer(404, b"no such route", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == os.environ["AIP_PREDICT_ROUTE"]:
            self._predict(body)
        else:
            seen = {"path": self.path, "body": body.decode(), "authorization": self.headers.get("Authorization")}
            self._answer(200, json.dumps(seen).encode(), "application/json")

    def _predict(self, body: bytes) -> None:
        if self.headers["Content-Type"] != "application/json":
            self._answer(200, b"raw:" + body, "application/octet-stream")
            return
        document = json.loads(body)
        if document.get("@requestFormat") == "chatCompletions":
            self._chat(document)
        elif "wait_for" in document:
            self._stream(b"%d\n" % number for number in _numbers(Path(document["wait_for"]), self.connection))
        else:
            self._predictions(document)

    def _predictions(self, document: dict[str, Any]) -> None:
        first = document["instances"][0]
        if "status" in first:
            self._answer(first["status"], b'{"error": "as you wished"}', "application/json")
        elif "wait_for" in first:
            late = list(_numbers(Path(first["wait_for"]), self.connection))
            self._answer(200, json.dumps({"predictions": late}).encode(), "application/json")
        elif first.get("@requestFormat") == "chatCompletions":
            self._answer(200, json.dumps({"predictions": _completion(first)}).encode(), "application/json")
        else:
            name = os.environ.get("NAME", "echo")
            echoed = [{"from": name, "instance": instance} for instance in document["instances"]]
            self._answer(200, json.dumps({"predictions": echoed, **_extra(document)}).encode(), "application/json")

    def _chat(self, document: dict[str, Any]) -> None:
        if not document.get("stream"):
            self._answer(200, json.dumps(_completion(document)).encode(), "application/json")
            return
        words = document["messages"][-1]["content"].split()
        events = [f"data: {json.dumps(_chunk(word))}\n\n".encode() for word in words]
        self._stream(iter([*events, b"data: [DONE]\n\n"]), "text/event-stream")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, parts: Iterator[bytes], content_type: str = "text/plain") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


def _numbers(gate: Path, caller: socket.socket) -> Iterator[int]:
    """Yields 1 at once, and 2 when a test creates `gate`; creates the file `left` when the caller disconnects."""
    yield 1
    while not gate.exists():
        readable, _, _ = select.select([caller], [], [], 0.01)
        if readable and not caller.recv(1, socket.MSG_PEEK):
            gate.with_name("left").touch()
            return
    yield 2


def _extra(document: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"parameters": document["parameters"]}} if "parameters" in document else {}


def _completion(document: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"You said: {document['messages'][-1]['content']}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "echo", "choices": [choice]}


def _chunk(word: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "echo", "choices": [choice]}


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    if "CRASH" in os.environ:
        sys.exit("ValueError: the model has no chat template")
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    print("serving", sys.argv[1:], flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Container).serve_forever()


if __name__ == "__main__":
    main()
