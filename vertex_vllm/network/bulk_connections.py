"""HTTP for bulk bytes: bodies are read into, and sent from, memory that the caller holds.

Google's and the Hub's own clients, and requests, allocate new bytes for every piece, which costs two to four times the
processor time per byte. This module adds to http.client what those offer: proxies, trusted authorities, and connections
that are reused.
"""

import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPException, HTTPResponse
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from urllib3 import HTTPHeaderDict

from vertex_vllm.errors import UnreachableError
from vertex_vllm.network.faults import network_fault
from vertex_vllm.network.proxied_connection import open_connection
from vertex_vllm.retries import TransientError

# Rest of a body, in bytes, that is read to keep its connection.
_SHORT = 1 << 16

Used = TypeVar("Used")


class ConnectTimeoutError(TimeoutError):
    """The host did not take a connection in time."""


class Answer:
    """A response whose body is still to be read. A context manager: leaving it returns the connection."""

    def __init__(self, response: HTTPResponse, host: str, give_back: Callable[[bool], None]) -> None:
        """`give_back` is called once, with True when the connection may be used again."""
        self._response, self._host, self._give_back = response, host, give_back
        self.status = response.status
        # Joins headers that occur several times (RFC 9110, 5.3): Cloud Storage sends one `x-goog-hash` per hash.
        self.headers: Mapping[str, str] = HTTPHeaderDict(response.headers.items())

    def read_into(self, view: memoryview) -> int:
        """Fills `view` from the body, and returns how many bytes came: fewer only where the body ends.

        Raises TransientError when the connection breaks or is silent for too long.
        """
        try:
            return self._response.readinto(view)
        except (OSError, HTTPException) as error:
            raise _transient(error, self._host) from None

    def read(self) -> bytes:
        """The rest of the body. Raises TransientError as `read_into` does."""
        try:
            return self._response.read()
        except (OSError, HTTPException) as error:
            raise _transient(error, self._host) from None

    def read_start(self) -> bytes:
        """The first bytes of a refusal's text; empty where the connection breaks."""
        try:
            return self._response.read(_SHORT)
        except (OSError, HTTPException):
            return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The rest of a refusal's text is short; that of a body may be gigabytes.
        if error is None and self._response.length is not None and self._response.length <= _SHORT:
            with suppress(OSError, HTTPException):
                self._response.read()
        self._give_back(self._response.isclosed())


class Outgoing:
    """A request whose body is sent piece by piece. Its first error, its answer or `abandon` ends it."""

    def __init__(self, connection: "_Connection", host: str, give_back: Callable[[bool], None]) -> None:
        """`give_back` is called once, with True when the connection may be used again."""
        self._connection, self._host, self._give_back = connection, host, give_back

    def send(self, piece: memoryview) -> None:
        """Sends a piece. Raises TransientError when the connection breaks or accepts nothing for too long."""
        try:
            self._connection.send(piece)
        except (OSError, HTTPException) as error:
            self.abandon()
            raise _transient(error, self._host) from None

    def answer(self) -> Answer:
        """The answer, after the whole body. Raises TransientError as `send` does."""
        try:
            response = self._connection.response()
        except (OSError, HTTPException) as error:
            self.abandon()
            raise _transient(error, self._host) from None
        return Answer(response, self._host, self._give_back)

    def abandon(self) -> None:
        """Closes the connection, so that the server sees a cut body."""
        self._give_back(False)


class Connections:
    """Connections of one transfer, as many as are in use at once. Safe to use from several threads."""

    def __init__(self, stall_seconds: float) -> None:
        """`stall_seconds` without a byte end a request."""
        self._stall_seconds = stall_seconds
        self._idle: defaultdict[tuple[str, str], list[_Connection]] = defaultdict(list)
        self._in_use: set[_Connection] = set()
        self._answered: set[tuple[str, str]] = set()
        """Origins that have answered: any failure of one of them counts as transient."""
        self._lock = threading.Lock()
        self._closed = False

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | memoryview | None = None,
        *,
        stall_seconds: float | None = None,
    ) -> Answer:
        """The answer to one request, with any status; the caller follows redirects.

        Raises TransientError, which names the host and no more of the URL, when no answer comes; UnreachableError when
        none will come until a setting is changed; InputError for an unusable proxy or file of authorities.
        """
        seconds = self._stall_seconds if stall_seconds is None else stall_seconds
        response, host, give_back = self._on_connection(
            url, lambda connection, target: connection.exchange(method, target, headers, body, seconds)
        )
        return Answer(response, host, give_back)

    def begin(self, method: str, url: str, headers: Mapping[str, str], length: int) -> "Outgoing":
        """A request whose body of `length` bytes is still to be sent. Raises TransientError as `request` does."""
        connection, host, give_back = self._on_connection(
            url, lambda connection, target: connection.begin(method, target, headers, length, self._stall_seconds)
        )
        return Outgoing(connection, host, give_back)

    def close(self) -> None:
        """Ends all requests with TransientError, those under way in any thread and later ones."""
        with self._lock:
            self._closed = True
            for connection in self._in_use:
                connection.break_off()
            for idle in self._idle.values():
                for connection in idle:
                    connection.close()
            self._idle.clear()

    @property
    def closed(self) -> bool:
        return self._closed

    def _on_connection(
        self, url: str, use: Callable[["_Connection", str], Used]
    ) -> tuple[Used, str, Callable[[bool], None]]:
        """The result of `use` on a connection and a request's target; the host; how to return the connection."""
        parts = urlsplit(url)
        origin, host = (parts.scheme, parts.netloc), parts.hostname or ""
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        while True:
            connection = self._take(parts, origin)
            reused = connection.is_open
            try:
                used = use(connection, target)
            except BaseException as error:
                self._give_back(connection, origin, usable=False)
                if not isinstance(error, OSError | HTTPException):
                    raise
                # A server may close an idle connection just when it is reused. A time-out has another cause.
                if not reused or isinstance(error, TimeoutError):
                    raise self._unanswered(error, parts, origin) from None
            else:
                self._answered.add(origin)
                return used, host, partial(self._give_back, connection, origin)

    def _unanswered(self, error: Exception, parts: SplitResult, origin: tuple[str, str]) -> Exception:
        fault = network_fault(error, f"{parts.scheme}://{parts.netloc}")
        if origin in self._answered:
            return TransientError(fault.message)
        if fault.lasts:
            return UnreachableError(fault.message, fix=fault.fix)
        return TransientError(fault.message, fix=fault.fix, patience_seconds=fault.patience_seconds)

    def _take(self, parts: SplitResult, origin: tuple[str, str]) -> "_Connection":
        with self._lock:
            if self._closed:
                raise TransientError("closed")
            idle = self._idle[origin].pop() if self._idle[origin] else None
        connection = idle or _Connection(parts)
        with self._lock:
            self._in_use.add(connection)
            if self._closed:
                connection.break_off()
        return connection

    def _give_back(self, connection: "_Connection", origin: tuple[str, str], usable: bool) -> None:
        with self._lock:
            self._in_use.discard(connection)
            if usable and not self._closed:
                self._idle[origin].append(connection)
            else:
                connection.close()


class _Connection:
    """A connection to one origin, opened again when it is closed."""

    def __init__(self, parts: SplitResult) -> None:
        self._http = open_connection(parts)
        self._broken_off = False

    @property
    def is_open(self) -> bool:
        return self._http.sock is not None

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | memoryview | None, seconds: float
    ) -> HTTPResponse:
        self._open(seconds)
        self._http.request(method, target, body, {"Accept-Encoding": "identity", **headers})
        return self._http.getresponse()

    def begin(self, method: str, target: str, headers: Mapping[str, str], length: int, seconds: float) -> Self:
        self._open(seconds)
        self._http.putrequest(method, target)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self._http.putheader(name, value)
        self._http.endheaders()
        return self

    def send(self, piece: memoryview) -> None:
        self._http.send(piece)

    def response(self) -> HTTPResponse:
        return self._http.getresponse()

    def _open(self, seconds: float) -> None:
        if self._broken_off:
            raise ConnectionAbortedError
        if self._http.sock is None:
            try:
                self._http.connect()
            except TimeoutError:
                raise ConnectTimeoutError from None
        self._http.sock.settimeout(seconds)

    def close(self) -> None:
        self._http.close()

    def break_off(self) -> None:
        """Called from another thread: a pending read or write raises at once."""
        self._broken_off = True
        sock = self._http.sock
        if sock is not None:
            with suppress(OSError):  # It may be closed by now.
                sock.shutdown(socket.SHUT_RDWR)


def _transient(error: Exception, host: str) -> TransientError:
    return TransientError(f"{type(error).__name__} at {host}")
