"""Rows as aligned text, the same on a terminal and in a file."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from vertex_vllm.plain_text import plain
from vertex_vllm.redaction import redact


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One line a row, three spaces between columns; ends with a newline."""
    lines = [
        [plain(redact(cell)).replace("\n", " ").replace("\t", " ").rstrip() for cell in line]
        for line in (header, *rows)
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = ("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "".join(f"{line}\n" for line in shown)


def _cell(text: str) -> str:
    """A secret of several lines is found before they become one."""
    return plain(redact(text)).replace("\n", " ").replace("\t", " ").rstrip()


def age(since: datetime, now: datetime) -> str:
    """Time passed in its two largest units, for example `3 h 12 min`."""
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // smaller_size} {smaller}"
    return f"{seconds} s"
