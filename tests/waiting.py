"""What tests wait for: something another process or thread does in its own time."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from localcloud.process_table import start_time

PATIENCE_SECONDS = 60

_Found = TypeVar("_Found")


def wait_until(holds: Callable[[], _Found]) -> _Found:
    """The first answer of `holds` that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited for in vain"
        time.sleep(0.02)
    return found


def wait_until_gone(pids: Iterable[int]) -> None:
    """Until none of the processes runs."""
    wait_until(lambda: not any(map(start_time, pids)))
