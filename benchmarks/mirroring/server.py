"""A small HTTP/1.1 server with threads, which sends and receives bodies in large pieces.

`Network` adds properties of a real network: a delay before every answer, and a limit to each connection's rate.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_PIECE = 1 << 20
# Bytes per piece on a connection with a limited rate: small, so that the rate is even.
_LIMITED_PIECE = 1 << 16


@dataclass(frozen=True)
class Network:
    """The network between the client and a server."""

    delay_seconds: float = 0.0
    """Delay before each answer, in seconds."""
    bytes_per_second: float = 0.0
    """Limit of each connection and direction, in bytes per second; 0: no limit."""
    certificate: Path | None = None
    """File with certificate and key of a server that uses TLS."""

    def pace(self, sent: int, since: float) -> None:
        """Waits until the rate allows `sent` bytes since the start."""
        if self.bytes_per_second:
            time.sleep(max(0.0, since + sent / self.bytes_per_second - time.monotonic()))

    @property
    def piece(self) -> int:
        return _LIMITED_PIECE if self.bytes_per_second else _PIECE


@dataclass
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Headers by name in lower case."""
    _connection: "_Connection"
    left: int
    """Unread bytes of the body."""

    def pieces(self) -> Iterable[memoryview]:
        """The body, piece by piece; each is valid until the next."""
        begun, total = time.monotonic(), 0
        while self.left:
            piece = self._connection.receive(min(self.left, self._connection.network.piece))
            self.left -= len(piece)
            total += len(piece)
            yield piece
            self._connection.network.pace(total, begun)

    def body(self) -> bytes:
        return b"".join(bytes(piece) for piece in self.pieces())


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: Iterable[memoryview] | None = None
    """A streamed body of `length` bytes, in the place of `body`."""
    length: int = 0


def as_json(document: object, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


Handler = Callable[[Request], Answer]


class _Connection:
    def __init__(self, sock: socket.socket, network: Network) -> None:
        self.network = network
        self._socket = sock
        self._reader = sock.makefile("rb")
        self._buffer = memoryview(bytearray(_PIECE))

    def receive(self, length: int) -> memoryview:
        arrived = self._reader.readinto(self._buffer[:length])
        if arrived != length:
            raise ConnectionError("the client went away")
        return self._buffer[:length]

    def serve(self, handler: Handler) -> None:
        while line := self._reader.readline():
            method, target, _ = line.decode().split(" ", 2)
            headers = dict(self._headers())
            parts = urlsplit(target)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            length = int(headers.get("content-length", 0))
            request = Request(method, unquote(parts.path), query, headers, self, length)
            if headers.get("expect", "").lower() == "100-continue":
                self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            answer = handler(request)
            for _ in request.pieces():
                pass  # Skip the rest of the body that the handler did not read.
            time.sleep(self.network.delay_seconds)
            self._send(method, answer)

    def _headers(self) -> Iterable[tuple[str, str]]:
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def _send(self, method: str, answer: Answer) -> None:
        length = answer.length if answer.stream is not None else len(answer.body)
        head = [f"HTTP/1.1 {answer.status} -", f"Content-Length: {length}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        self._socket.sendall("\r\n".join([*head, "", ""]).encode() + (b"" if method == "HEAD" else answer.body))
        if answer.stream is None or method == "HEAD":
            return
        begun, total = time.monotonic(), 0
        for piece in answer.stream:
            for offset in range(0, len(piece), self.network.piece):
                part = piece[offset : offset + self.network.piece]
                self._socket.sendall(part)
                total += len(part)
                self.network.pace(total, begun)


def serve(handler: Handler, network: Network) -> int:
    """Serves on 127.0.0.1 in the background until this process ends. Returns the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    context = None
    if network.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(network.certificate)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=converse, args=(sock,), daemon=True).start()

    def converse(sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Connection(context.wrap_socket(sock, server_side=True) if context else sock, network).serve(handler)
        except OSError:
            return  # The client went away.
        finally:
            sock.close()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])
