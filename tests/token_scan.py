"""Looking for a token in all that was written."""

from collections.abc import Iterator
from pathlib import Path

_CHUNK_BYTES = 1 << 22


def files_with(needle: bytes, folder: Path) -> Iterator[str]:
    """Paths, relative to `folder`, of the files that hold it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and _holds(needle, path):
            yield path.relative_to(folder).as_posix()


def _holds(needle: bytes, path: Path) -> bool:
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(_CHUNK_BYTES):
            if needle in tail + chunk:
                return True
            tail = chunk[-len(needle) :]
    return False
