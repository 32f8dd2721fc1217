"""The container's own disk: a temporary folder that is gone when the container is, however it ended."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

_PREFIX = "vllm-container-"
_LOCK = "in-use"
# Of a Unix socket's path (sockaddr_un), less the "/" and the UUID by which vLLM names its sockets.
_LONGEST_PATH = 107 - 37
_SHORT_PARENT = Path("/tmp")


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is removed at the end, together with those of containers that were killed.

    It is in the system's temporary folder, unless Unix sockets would have too long a path there.
    """
    parent = Path(tempfile.gettempdir())
    if len(str(parent / f"{_PREFIX}12345678")) > _LONGEST_PATH:
        parent = _SHORT_PARENT
    _sweep(parent)
    directory, lock = _locked_folder(parent)
    try:
        with lock:
            yield directory
    finally:
        _remove(directory)


def _locked_folder(parent: Path) -> tuple[Path, TextIO]:
    """A new folder with its lock held. A start that sweeps at the same time may remove one before it is locked."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = (directory / _LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_nlink:
            return directory, lock
        lock.close()


def _sweep(parent: Path) -> None:
    for lock_path in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), lock_path.open() as lock:
            # Its holder is alive: BlockingIOError, an OSError.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_path.parent, ignore_errors=True)


def _remove(directory: Path) -> None:
    # Downloads that were broken off may still write: a second look finds what they made meanwhile.
    for _ in range(3):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
