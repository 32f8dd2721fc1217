"""How many reads at once: more while that brings more bytes a second, fewer when a service says that it is too much."""

import threading
import time
from collections.abc import Callable

_FIRST = 4
# Share by which more reads must be faster to be worth it.
_GAIN = 1.05
# Seconds for one measurement, and measurements until a limit that brought nothing is tried once more.
_PERIOD = 0.5
_REST = 20


class AdaptiveLimit:
    """A limit between 1 and `most`, moved by what is told of the transfer. Safe to use from several threads at once.

    Grows by half while each step raises the rate by 5 %; a step that does not is taken back, and tried again after ten
    seconds, as networks change. Halves when a service throttles.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._limit = min(_FIRST, most)
        self._lock = threading.Lock()
        self._bytes, self._since = 0, clock()
        self._smaller: tuple[int, float] | None = None
        """Limit before the last step, and bytes a second under it; None when none was measured."""
        self._resting = 0
        self._deaf_until = clock()

    @property
    def value(self) -> int:
        return self._limit

    def moved(self, count: int) -> None:
        """That many bytes have arrived."""
        with self._lock:
            self._bytes += count
            seconds = self._clock() - self._since
            if seconds >= _PERIOD:
                self._judge(self._bytes / seconds)
                self._restart()

    def throttled(self) -> None:
        """A service answered 429 or 503. What others are told within half a second is the same news."""
        with self._lock:
            if self._clock() < self._deaf_until:
                return
            self._deaf_until = self._clock() + _PERIOD
            self._limit = max(1, self._limit // 2)
            self._smaller, self._resting = None, _REST
            self._restart()

    def _judge(self, rate: float) -> None:
        if self._resting:
            self._resting -= 1
            return
        if self._smaller is not None and rate < self._smaller[1] * _GAIN:
            self._limit, self._smaller, self._resting = self._smaller[0], None, _REST
        elif self._limit < self._most:
            self._smaller = self._limit, rate
            self._limit = min(self._most, self._limit + max(1, self._limit // 2))
        else:
            self._smaller, self._resting = None, _REST

    def _restart(self) -> None:
        self._bytes, self._since = 0, self._clock()
