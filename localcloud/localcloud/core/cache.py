"""Files kept between runs, for all local clouds of this user: everything here is safe to delete."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from localcloud.core.locks import exclusive

CACHE_VARIABLE = "LOCALCLOUD_CACHE"


def cache_directory() -> Path:
    """`LOCALCLOUD_CACHE`, or `localcloud` under the XDG cache directory."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "localcloud"


def making(target: Path, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
    """`exclusive`, with the cache's own folder of locks."""
    return exclusive(target, on_wait, locks=cache_directory() / "locks")
