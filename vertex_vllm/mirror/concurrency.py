"""The number of simultaneous reads: raised while that increases bytes per second, lowered when a service throttles."""

import threading
import time
from collections.abc import Callable

_FIRST = 1
# Twice the reads must be faster by this share to be kept; fewer are kept when they are slower by no more than that:
# where reads wait for the network alone, a quarter fewer lose a quarter, and noise is some 10 %.
_GAIN, _LOSS = 0.2, 0.1
# Seconds of one measurement, of the first, while connections are being made, and of one of fewer reads.
_PERIOD, _PERIOD_AT_FIRST, _PERIOD_DOWN = 0.5, 0.25, 1.0
# Measurements until a limit that brought no gain is tried again.
_REST = 60
# Weight of a new measurement in the average rate of the kept limit.
_NEWS = 0.25


class AdaptiveLimit:
    """A limit between 1 and `most`, moved by reports of the transfer. Safe to use from several threads at once.

    It doubles while each step brings 20 %, then descends by quarters while they cost no more than 10 % in all: reads
    that only wait for the processor or for each other cost memory and processor time. After half a minute it tries
    again, as networks change. It halves when a service throttles.
    """

    def __init__(self, most: int, part_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`part_bytes`: bytes that a read under way still transfers after the limit was lowered."""
        self._most, self._part_bytes, self._clock = most, part_bytes, clock
        self._limit = self._kept = min(_FIRST, most)
        self._kept_rate: float | None = None
        """Bytes a second under `_kept`; None while not measured. `_limit` is another one while that is tried."""
        self._upwards = True
        self._rest = 0
        self._connected = False
        """Whether the first measurement is over; it is not counted."""
        self._lock = threading.Lock()
        self._bytes, self._since, self._unsettled = 0, clock(), 0
        self._deaf_until = clock()
        self.on_growth: Callable[[], object] = lambda: None
        """Called when there may be more reads than before."""

    @property
    def value(self) -> int:
        return self._limit

    def moved(self, count: int) -> None:
        """Counts bytes that have arrived."""
        with self._lock:
            if self._unsettled > 0:
                self._unsettled -= count
                self._bytes, self._since = 0, self._clock()
                return
            self._bytes += count
            seconds = self._clock() - self._since
            if seconds >= self._period:
                before = self._limit
                self._judge(self._bytes / seconds)
                self._bytes, self._since = 0, self._clock()
                if self._limit > before:
                    self.on_growth()

    @property
    def _period(self) -> float:
        if not self._connected:
            return _PERIOD_AT_FIRST
        return _PERIOD_DOWN if self._limit < self._kept else _PERIOD

    def throttled(self) -> None:
        """Halves the limit after a 429 or 503. Further ones within half a second count as the same."""
        with self._lock:
            if self._clock() < self._deaf_until:
                return
            self._deaf_until = self._clock() + _PERIOD
            self._keep(max(1, self._limit // 2), None)
            self._upwards, self._rest = True, _REST

    def _judge(self, rate: float) -> None:
        if not self._connected:
            self._connected = True
            return
        if self._limit == self._kept:
            known = rate if self._kept_rate is None else self._kept_rate + _NEWS * (rate - self._kept_rate)
            self._keep(self._kept, known)
        elif self._kept_rate is not None and self._is_better(rate):
            # While the limit descends, compared with the rate before the first descent, so that losses add up.
            self._keep(self._limit, rate if self._upwards else self._kept_rate)
        else:
            self._turn_back()
        self._try_next()

    def _is_better(self, rate: float) -> bool:
        assert self._kept_rate is not None
        return rate >= self._kept_rate * (1 + _GAIN if self._upwards else 1 - _LOSS)

    def _keep(self, limit: int, rate: float | None) -> None:
        self._limit = self._kept = limit
        self._kept_rate = rate

    def _turn_back(self) -> None:
        self._limit = self._kept
        if not self._upwards:
            self._rest = _REST
        self._upwards = not self._upwards

    def _try_next(self) -> None:
        if self._rest:
            self._rest -= 1
            return
        next_down = max(1, self._kept - max(1, self._kept // 4))
        self._limit = min(self._most, 2 * self._kept) if self._upwards else next_down
        if self._limit == self._kept:
            self._turn_back()
        elif not self._upwards:
            self._unsettled = self._kept * self._part_bytes
