"""The Hub's chunk store (Xet) as a source: chunks that are shared between files come once, compressed.

An option, not the default: from Google Cloud it was seen to hang (huggingface/xet-core#898), and its client holds some
500 MB of its own. A watchdog therefore replaces it by ranges over HTTP, for good, once no byte arrives for a while.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from vertex_vllm.hub.download import OnPiece, RepoReader, ignore_piece
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.hub.locations import XetAddress

_LOG = logging.getLogger(__name__)


class FileReader(Protocol):
    """A source of ranges of large files."""

    def read_into(self, view: memoryview, file: HubFile, start: int, on_piece: OnPiece = ignore_piece) -> None: ...
    def where(self, file: HubFile) -> str: ...
    def close(self) -> None: ...


class XetUnusableError(Exception):
    """The chunk store did not deliver the requested bytes; the text says why, without a token or a URL."""


class XetReader:
    """Reads from the chunk store while it answers, from `ranges` otherwise. Safe to use from several threads."""

    def __init__(self, ranges: RepoReader, stall_seconds: float) -> None:
        self._ranges, self._stall_seconds = ranges, stall_seconds
        self._lock = threading.Lock()
        self._group: object = None
        self.usable = True
        """False once it has failed."""

    def read_into(self, view: memoryview, file: HubFile, start: int, on_piece: OnPiece = ignore_piece) -> None:
        """As `RepoReader.read_into`."""
        address = self._ranges.xet_address(file) if self.usable else None
        if address is not None:
            try:
                self._stream(view, file, start, address)
            except XetUnusableError as error:
                self.usable = False
                _LOG.warning("Xet is given up for ranges over HTTP: %s", error)
            else:
                on_piece(view)
                return
        self._ranges.read_into(view, file, start, on_piece)

    def where(self, file: HubFile) -> str:
        return self._ranges.where(file)

    def close(self) -> None:
        self.usable = False
        self._ranges.close()

    def _stream(self, view: memoryview, file: HubFile, start: int, address: XetAddress) -> None:
        have = 0
        for chunk in _watched(lambda: self._open(file, start, start + len(view), address), self._stall_seconds):
            if have + len(chunk) > len(view):
                raise XetUnusableError("more bytes came than were asked for")
            view[have : have + len(chunk)] = chunk
            have += len(chunk)
        if have < len(view):
            raise XetUnusableError("its stream ended too early")

    def _open(self, file: HubFile, start: int, end: int, address: XetAddress) -> Iterator[bytes]:
        from hf_xet import XetFileInfo, XetSession

        with self._lock:
            if self._group is None:
                self._group = XetSession().new_download_stream_group(
                    token_refresh_url=address.token_url, token_refresh_headers=address.headers
                )
        stream: Iterator[bytes] = self._group.download_stream(  # type: ignore[attr-defined]
            XetFileInfo(address.hash, file.size), start=start, end=end
        )
        return stream


def _watched(opened: Callable[[], Iterator[bytes]], stall_seconds: float) -> Iterator[bytes]:
    """The chunks of a stream that is read in a thread of its own: a call into the client cannot be interrupted.

    Raises XetUnusableError when none comes for that long, or the client fails.
    """
    # Only a few chunks, or a slow bucket would let the whole part accumulate here.
    chunks: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=4)
    given_up = threading.Event()

    def read() -> None:
        try:
            for chunk in opened():
                if given_up.is_set():
                    return
                chunks.put(chunk)
            chunks.put(None)
        except Exception as error:  # any error: not all of the client's types are public
            chunks.put(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            try:
                chunk = chunks.get(timeout=stall_seconds)
            except queue.Empty:
                raise XetUnusableError(f"no byte for {stall_seconds:g} s") from None
            if isinstance(chunk, Exception):
                raise XetUnusableError(type(chunk).__name__)
            if chunk is None:
                return
            yield chunk
    finally:
        given_up.set()
        while not chunks.empty():  # so that the thread, if it waits to hand one over, sees that the reader is gone
            chunks.get_nowait()
