"""Server-sent events, read as they come (WHATWG HTML, "Server-sent events", section "Parsing an event stream")."""

import re
from collections.abc import Iterable, Iterator

# A carriage return that ends what was read so far may yet turn out to be half of one line end.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def event_data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event, wherever the chunks' borders fall.

    Comments, other fields and lines that are no field at all are skipped, as the standard says; so is an event that the
    end of the stream cut off.
    """
    data: list[str] = []
    for line in _lines(chunks):
        if not line:
            if data:
                yield "\n".join(data)
            data = []
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" ").decode("utf-8", errors="replace"))


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Complete lines, without their ends."""
    rest, first = b"", True
    for chunk in chunks:
        rest += chunk
        if first and len(rest) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(rest):
            continue
        if first:
            rest, first = rest.removeprefix(_BYTE_ORDER_MARK), False
        start = 0
        for end in _LINE_END.finditer(rest):
            yield rest[start : end.start()]
            start = end.end()
        rest = rest[start:]
    if rest.endswith(b"\r"):
        yield rest[:-1]
