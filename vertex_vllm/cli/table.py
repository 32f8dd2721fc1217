"""Rows as text: aligned columns where they fit the terminal, else a few lines a row."""

import string
from collections.abc import Iterable, Sequence
from datetime import datetime

from vertex_vllm.plain_text import plain
from vertex_vllm.redaction import redact

_GAP = "   "


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """One line a row, three spaces between columns; ends with a newline.

    If that is wider than `width` columns, each row becomes a line with its first two cells, and below it the others,
    each with its column's name. Cells are never cut, as resource names are copied from them. `width` None: a pipe,
    which takes lines of any width.
    """
    lines = [[_cell(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    if width is None or sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        padded = ([cell.ljust(size) for cell, size in zip(line, widths, strict=True)] for line in lines)
        return "".join(f"{_GAP.join(cells).rstrip()}\n" for cells in padded)
    return "".join(_record(lines[0], line, width) for line in lines[1:])


def side_by_side(header: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> str:
    """A column for each of the things that `header` names after its first cell, to be compared.

    If that is wider than `width` columns, the header has letters, which lines below the table explain.
    """
    lines = list(rows)
    table = text_table(header, lines)
    if width is None or max(map(len, table.splitlines())) <= width:
        return table
    letters = dict(zip(string.ascii_uppercase, header[1:], strict=False))
    if len(letters) < len(header) - 1:
        return table
    named = "".join(f"{letter}  {name}\n" for letter, name in letters.items())
    return f"{text_table((header[0], *letters), lines)}\n{named}"


def _record(header: Sequence[str], line: Sequence[str], width: int) -> str:
    cells = list(zip(header, line, strict=True))
    title = _GAP.join(cell for _, cell in cells[:2] if cell)
    head, rest = (title, cells[2:]) if len(title) <= width else (line[0], cells[1:])
    fields = [f"{name} {cell}".strip() for name, cell in rest if cell]
    return "\n".join([head, *(f"    {each}" for each in _flowed(fields, width - 4))]) + "\n"


def _flowed(fields: Iterable[str], width: int) -> Iterable[str]:
    """Fields side by side, as many on a line as fit."""
    line = ""
    for field in fields:
        if line and len(line) + len(_GAP) + len(field) > width:
            yield line
            line = ""
        line = f"{line}{_GAP}{field}" if line else field
    if line:
        yield line


def _cell(text: str) -> str:
    """The cell's text on one line. Secrets are redacted first, because one may take several lines."""
    return plain(redact(text)).replace("\n", " ").replace("\t", " ").rstrip()


def age(since: datetime, now: datetime) -> str:
    """Time passed in its two largest units, for example `3 h 12 min`."""
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // smaller_size} {smaller}"
    return f"{seconds} s"
