"""A token that must be found nowhere, and the search for it in files of a folder and command lines of processes.

    canary = new_canary()
    with watched_processes() as seen:
        ...  # runs that use it
    assert files_holding(canary, folder) == ["secrets.db"]
    assert seen.holding(canary) == []

Looked for as it is and in base64, in which a secret travels in JSON and in `Authorization: Basic`.
"""

import base64
import gzip
import os
import subprocess
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Bytes. A chunk and all its needles stay in the processor's cache.
CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
# A file that was deleted during the search, or that only begins like a gzip file.
_GONE_OR_BROKEN = (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error)
# Seconds. A Python process takes longer to start and end; a look takes some milliseconds of a processor.
_LOOK_EVERY = 0.1


def new_canary() -> str:
    """A token like the Hub's, which nobody has seen before."""
    return f"hf_canary{uuid.uuid4().hex}"


def files_holding(secret: str, folder: Path) -> list[str]:
    """The files below `folder`, relative to it, that hold the secret in their bytes, unpacked ones, or their name."""
    needles = _needles(secret)
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if secret in name or (path.is_file() and not path.is_symlink() and _holds(needles, path)):
            found.append(name)
    return found


class Commands:
    """Every command line that a process was seen with."""

    def __init__(self) -> None:
        self._lines: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._lines)

    def look(self) -> None:
        self._lines.update(_command_lines())

    def holding(self, secret: str) -> list[str]:
        needles = _needles(secret)
        lines = [line for line in self._lines if any(needle in line for needle in needles)]
        return sorted(line.replace(b"\0", b" ").decode(errors="replace") for line in lines)


@contextmanager
def watched_processes() -> Iterator[Commands]:
    """Records the command lines of this machine's processes many times a second, until the block ends."""
    seen, over = Commands(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY):
            seen.look()

    watcher = threading.Thread(target=watch, name="commands", daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _needles(secret: str) -> list[bytes]:
    """The secret itself, and its middle in base64 at each of the three offsets that a longer text can give it."""
    found = {secret.encode()}
    for before in range(3):
        text = bytes(before) + secret.encode()
        # Of its first and last group of three bytes, neighbours are a part.
        whole = text[3 if before else 0 : len(text) // 3 * 3]
        found |= {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}
    return sorted(found)


def _holds(needles: list[bytes], path: Path) -> bool:
    packed = False
    with suppress(FileNotFoundError), path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    return _found(needles, path, packed=False) or (packed and _found(needles, path, packed=True))


def _found(needles: list[bytes], path: Path, *, packed: bool) -> bool:
    overlap = max(map(len, needles)) - 1
    with suppress(*_GONE_OR_BROKEN), gzip.open(path) if packed else path.open("rb") as file:
        tail = b""
        while chunk := file.read(CHUNK):
            text = tail + chunk
            if any(needle in text for needle in needles):
                return True
            tail = text[-overlap:]
    return False


def _command_lines() -> Iterator[bytes]:
    if not os.path.exists("/proc/self/cmdline"):
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, check=False)
        yield from listed.stdout.splitlines()
        return
    for name in filter(str.isdigit, os.listdir("/proc")):  # not by pathlib, which takes twice as long
        try:
            with open(f"/proc/{name}/cmdline", "rb", buffering=0) as file:
                yield file.read()
        except OSError:  # ended meanwhile
            continue
