"""Reads server-sent events from a stream (WHATWG HTML, "Server-sent events", section "Parsing an event stream")."""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator

# A carriage return at the end of a chunk may be the first half of a line end.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Reads one stream. Comments, other fields and lines that are not fields are skipped, as the standard says."""

    def __init__(self) -> None:
        self._rest = b""
        self._first = True
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of each event that `chunk` completes; an event may be split over chunks anywhere."""
        for line in self._lines(chunk):
            if line:
                self._read_field(line)
            elif self._data:
                yield "\n".join(self._data)
                self._data = []

    def end(self) -> Iterator[str]:
        """The last event, where the stream's last byte was the first half of a line end. A cut off event is skipped."""
        if self._rest == b"\r" and self._data:
            yield "\n".join(self._data)

    def _read_field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", errors="replace"))

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Complete lines, without their ends."""
        rest = self._rest + chunk
        if self._first and len(rest) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(rest):
            self._rest = rest
            return
        if self._first:
            rest, self._first = rest.removeprefix(_BYTE_ORDER_MARK), False
        start = 0
        for end in _LINE_END.finditer(rest):
            yield rest[start : end.start()]
            start = end.end()
        self._rest = rest[start:]


def event_data(
    chunks: Iterable[bytes], silence: float = math.inf, clock: Callable[[], float] = time.monotonic
) -> Iterator[str]:
    """The data of each event. An event that the end of the stream cut off is skipped, as the standard says.

    Raises TimeoutError when chunks have held no event for more than `silence` seconds, comments alone for example.
    """
    reader, heard = EventReader(), clock()
    for chunk in chunks:
        for data in reader.feed(chunk):
            yield data
            heard = clock()
        if clock() - heard > silence:
            raise TimeoutError(no_event(silence))
    yield from reader.end()


def no_event(seconds: float) -> str:
    return f"The stream held no event for {seconds:.0f} s"
