"""Waiting in tests: for a state that another process or thread brings about in its own time."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from localcloud.process.process_table import start_time

PATIENCE_SECONDS = 600
"""Seconds after which a wait fails. No test relies on the value: a slow machine may take long."""

_Found = TypeVar("_Found")


def wait_until(holds: Callable[[], _Found], every_seconds: float = 0.02) -> _Found:
    """Calls `holds` again and again; returns its first true result. Raises AssertionError after `PATIENCE_SECONDS`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited for in vain"
        time.sleep(every_seconds)
    return found


def wait_until_gone(pids: Iterable[int]) -> None:
    """Returns when none of the processes runs."""
    waited_for = list(pids)
    wait_until(lambda: not any(map(start_time, waited_for)))


def take_time(seconds: float) -> None:
    """Sleeps in a test's model of a slow operation. No test may rely on its duration."""
    time.sleep(seconds)
