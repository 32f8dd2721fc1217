"""Ranged reads of a model's files into given memory, resumed after a broken connection."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from vertex_vllm.errors import HubAccessError, ServiceError
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.hub.locations import ContentRefusedError, Locations, XetAddress
from vertex_vllm.network.bulk_connections import Answer, Connections
from vertex_vllm.retries import OnRetry, TransientError, ignore_retry, with_retries

# Seconds without a byte, and seconds of trying before one read is given up.
STALL_SECONDS = 60.0
_PATIENCE = 600.0
# Bytes, and seconds that reading a piece should take. Each piece costs its receiver some 100 µs of cold caches, for
# which the sender does not wait.
_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 20, 8 << 20
_PIECE_SECONDS = 0.015
_MOST_REDIRECTS = 3
# How often a read takes a new URL after the content network has refused one.
_MOST_REFUSED = 8
_ENDED = "not read: others have failed"

Answered = TypeVar("Answered")
OnPiece = Callable[[memoryview], None]


def ignore_piece(piece: memoryview) -> None:
    """Does nothing with a piece, for callers that need only the whole."""


class RepoReader:
    """Reads files of one model at one commit. Safe to use from several threads at once."""

    def __init__(
        self,
        model_id: str,
        commit: str,
        token: str | None,
        *,
        stall_seconds: float = STALL_SECONDS,
        patience_seconds: float = _PATIENCE,
        on_retry: OnRetry = ignore_retry,
    ) -> None:
        """`on_retry` receives each failure that is retried."""
        self._connections = Connections(stall_seconds)
        self._locations = Locations(model_id, commit, token, self._connections)
        self._patience = patience_seconds
        self._on_retry = on_retry

    @property
    def model_id(self) -> str:
        return self._locations.model_id

    @property
    def commit(self) -> str:
        return self._locations.commit

    def where(self, file: HubFile) -> str:
        """The file's name in messages."""
        return self._locations.where(file)

    def xet_address(self, file: HubFile) -> XetAddress | None:
        """The file's address in the Hub's chunk store; None if it is not there. Raises as `read_into` does."""
        return self._tried(lambda: self._locations.xet_address(file), file)

    def read(self, file: HubFile, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start` on; by default the whole file. Raises as `read_into`."""
        wanted = file.size - start if length is None else length
        if wanted < 0:
            raise ValueError(f"{file.path} has no bytes {start} to {start + wanted}")
        data = bytearray(wanted)
        self.read_into(memoryview(data), file, start)
        return bytes(data)

    def read_into(self, view: memoryview, file: HubFile, start: int, on_piece: OnPiece = ignore_piece) -> None:
        """Fills `view` with the file's bytes from `start` on; `on_piece` is shown each piece once, in order.

        Raises HubAccessError when the Hub refuses the file, ServiceError when it could not be read for ten minutes or
        the reader was closed.
        """
        if start < 0 or start + len(view) > file.size:
            raise ValueError(f"{file.path} has no bytes {start} to {start + len(view)}")
        read = _Read(view, file, start, on_piece)
        self._tried(lambda: self._go_on(read), file)

    def close(self) -> None:
        """Ends the reads that are still trying, with ServiceError."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tried(self, ask: Callable[[], Answered], file: HubFile) -> Answered:
        refused = 0
        where = self.where(file)

        def attempt() -> Answered:
            nonlocal refused
            if self._connections.closed:
                raise ServiceError(_ENDED, where=where)
            try:
                return ask()
            except TransientError as error:
                if self._connections.closed:
                    raise ServiceError(_ENDED, where=where) from None
                refused += isinstance(error, ContentRefusedError)
                if refused >= _MOST_REFUSED:
                    fix = (
                        "The Hub gave a new URL each time. If a proxy is in between, let it pass this host unchanged; "
                        "else try again later, and tell Hugging Face if it persists."
                    )
                    raise ServiceError(f"cannot be read: {error}, {refused} times", where=where, fix=fix) from None
                self._on_retry(file.path, error)
                raise

        try:
            return with_retries(attempt, seconds=self._patience, waiting_for=where)
        except TransientError as error:
            raise ServiceError(f"cannot be read from the Hub: {error}", where=where, fix=error.fix) from None

    def _go_on(self, read: "_Read") -> None:
        """Reads the missing rest; keeps the bytes that a broken connection delivered."""
        if read.is_complete:
            return
        located = self._locations.of(read.file)
        url = located
        for _ in range(_MOST_REDIRECTS):
            with self._connections.request("GET", url, {**self._locations.headers(url), **read.headers()}) as answer:
                if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                    url = answer.headers["Location"]
                    continue
                if answer.status >= 400:
                    body = answer.read_start()
                    error = self._locations.refused(answer.status, answer.headers, url, read.file, body)
                    if isinstance(error, HubAccessError | TransientError):
                        self._locations.forget(read.file, located)
                    raise error
                try:
                    read.take(answer, urlsplit(url).hostname)
                except ContentRefusedError:
                    self._locations.forget(read.file, located)
                    raise
                return
        raise ServiceError("the Hub redirects in circles", where=self.where(read.file))


class _Read:
    """A read under way."""

    def __init__(self, view: memoryview, file: HubFile, start: int, on_piece: OnPiece) -> None:
        self._view, self.file, self._start, self._on_piece = view, file, start, on_piece
        self._have = 0

    @property
    def is_complete(self) -> bool:
        return self._have == len(self._view)

    def headers(self) -> dict[str, str]:
        first, last = self._range()
        return {} if (first, last) == (0, self.file.size - 1) else {"Range": f"bytes={first}-{last}"}

    def take(self, answer: Answer, host: str | None) -> None:
        self._check(answer)
        self._check_body(answer, host)
        length = _SMALLEST_PIECE
        while not self.is_complete:
            begun = time.monotonic()
            piece = self._view[self._have : self._have + length]
            piece = piece[: answer.read_into(piece)]
            if not piece:
                raise TransientError("the body ends too early")
            rate = len(piece) / max(time.monotonic() - begun, 1e-6)
            length = min(max(int(rate * _PIECE_SECONDS), _SMALLEST_PIECE), _LARGEST_PIECE)
            self._on_piece(piece)
            self._have += len(piece)

    def _check(self, answer: Answer) -> None:
        """Raises TransientError unless the body that follows is the range that was asked for."""
        first, last = self._range()
        if answer.status == 206:
            expected = f"bytes {first}-{last}/{self.file.size}"
            if answer.headers.get("Content-Range", "") != expected:
                raise TransientError(f"Content-Range is not {expected!r}")
        elif answer.status != 200 or first != 0:
            raise TransientError(f"status {answer.status} in answer to a range")

    def _check_body(self, answer: Answer, host: str | None) -> None:
        """Raises ContentRefusedError for a body of another length or encoding: a proxy's page, a compressed file."""
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise ContentRefusedError(
                f"{host} sends the file compressed ({encoding}), though it was asked for as it is"
            )
        first, last = self._range()
        length, wanted = answer.headers.get("Content-Length", ""), last + 1 - first
        if length.isdecimal() and int(length) != wanted:
            kind = answer.headers.get("Content-Type", "unknown type")[:80]
            raise ContentRefusedError(f"{host} sends {length} bytes of {kind} instead of {wanted}")

    def _range(self) -> tuple[int, int]:
        return self._start + self._have, self._start + len(self._view) - 1
