"""What is kept between runs, for all checkouts on this machine: everything here is safe to delete."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path


def cache_directory() -> Path:
    """`VERTEX_VLLM_CACHE`, or `vertex-vllm` under the XDG cache directory."""
    own = os.environ.get("VERTEX_VLLM_CACHE")
    if own:
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vertex-vllm"


@contextlib.contextmanager
def exclusive(target: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the making of `target` for this process alone; `on_wait` is called when another process holds it now.

    The kernel lets go of the lock when its holder ends, however it ends.
    """
    name = hashlib.sha256(str(target.absolute()).encode()).hexdigest()[:16]
    lock = cache_directory() / "locks" / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
