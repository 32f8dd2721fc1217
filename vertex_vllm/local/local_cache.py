"""Files kept between runs, for all checkouts of this user: everything here is safe to delete."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from localcloud.core.locks import exclusive


def cache_directory() -> Path:
    """`VERTEX_VLLM_CACHE`, or `vertex-vllm` under the XDG cache directory."""
    own = os.environ.get("VERTEX_VLLM_CACHE")
    if own:
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vertex-vllm"


def making(target: Path, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
    """`exclusive`, with the cache's own folder of locks."""
    return exclusive(target, on_wait, locks=cache_directory() / "locks")
