"""Locks between processes, which the kernel releases when their holder ends, however it ends."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def exclusive(target: Path, on_wait: Callable[[], None], *, locks: Path) -> Iterator[None]:
    """Holds the making of `target` for this process alone; `on_wait` is called when another process holds it now.

    `locks`: the folder of the locks' files, created where it does not exist.
    """
    name = hashlib.sha256(str(target.absolute()).encode()).hexdigest()[:16]
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
