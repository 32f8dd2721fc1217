"""Polls a service until something has ended."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0


def poll_until(ended: Callable[[T], bool], look: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """The first look that has `ended`. Errors of `look` are raised as they are.

    The pause between two calls doubles from 0.1 to 2 seconds: the end of short work is noticed soon, and long work
    costs one call every two seconds.
    """
    pause = _FIRST_PAUSE_SECONDS
    while not ended(seen := look()):
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return seen
