"""Waiting in tests: for a state that another process or thread brings about in its own time."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from localcloud.process.process_table import start_time

PATIENCE_SECONDS = 600
"""Ends a test that would wait for ever. No test expects anything to be done by then: a slow machine may take long."""

_Found = TypeVar("_Found")


def wait_until(holds: Callable[[], _Found], every_seconds: float = 0.02) -> _Found:
    """Asks `holds` again and again; returns its first answer that is true. Raises AssertionError out of patience."""
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
    """For what stands in a test for something slow. No test may count on how long it takes."""
    time.sleep(seconds)
