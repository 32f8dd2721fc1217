"""Caps on requests, tokens, time and money of an evaluation; and when an endpoint is given up."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vertex_vllm.errors import InputError
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.load.load_caps import LoadCaps

GIVE_UP_AFTER = 10
"""Requests in a row that fail: then the endpoint is not asked any further."""
_REFUSED = re.compile(r"HTTP 4(00|13|22)\b")
"""A single refused request, longer than the context for example, does not show that the endpoint is broken."""
_SECONDS_PER_MINUTE, _SECONDS_PER_HOUR = 60, 3600


@dataclass(frozen=True)
class Limits:
    """Caps on one evaluation, its questions and its load together; 0: none."""

    requests: int = 0
    tokens: int = 0
    """Prompt and answer together, as the server counts them."""
    minutes: float = 0.0
    usd: float = 0.0
    usd_per_hour: float = 0.0
    """Of everything that serves the endpoint; 0: not known."""

    @property
    def seconds(self) -> float:
        """The shorter of the caps on time and on money; 0: none. Raises InputError where the price is not known."""
        if self.usd and not self.usd_per_hour:
            fix = "Cap the time with max_minutes instead, or leave max_usd at 0."
            raise InputError("the price of the machine is not known", where="evaluation.max_usd", fix=fix)
        caps = [self.minutes * _SECONDS_PER_MINUTE] if self.minutes else []
        caps += [self.paid_seconds] if self.usd else []
        return min(caps, default=0.0)

    @property
    def seconds_cap(self) -> str:
        """Name of the cap that `seconds` follow from."""
        return "max_usd" if self.usd and self.seconds != self.minutes * _SECONDS_PER_MINUTE else "max_minutes"

    @property
    def paid_seconds(self) -> float:
        """Seconds that the cap on money pays for. The price must be known."""
        return self.usd / self.usd_per_hour * _SECONDS_PER_HOUR


class Budget:
    """The remainder of the caps. Threads may share it.

    `concurrency`: requests at once, by which the time of an earlier attempt follows from the seconds of its replies.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic, concurrency: int = 1) -> None:
        self._limits, self._clock, self._lock = limits, clock, threading.Lock()
        self._concurrency, self._earlier_seconds, self._uncounted = max(concurrency, 1), 0.0, False
        self._seconds, self._start = limits.seconds, clock()
        self._requests = self._tokens = self._failures = 0
        self._failure = ""

    def may_ask(self) -> bool:
        """Whether another request may be sent; if so, it is counted."""
        with self._lock:
            if self._reason():
                return False
            self._requests += 1
            return True

    def asks_again(self) -> None:
        """Counts one more request for an item that was asked already: with more room, it may still be answered."""
        with self._lock:
            self._requests += 1

    def replied(self, reply: Reply) -> None:
        with self._lock:
            self._add_tokens(reply)
            if not _REFUSED.search(reply.error):
                self._failures = self._failures + 1 if reply.error else 0
            self._failure = reply.error or self._failure

    def earlier(self, reply: Reply) -> None:
        """Counts a request that an earlier attempt sent."""
        with self._lock:
            self._requests += 1
            self._earlier_seconds += reply.seconds
            self._add_tokens(reply)

    def left(self) -> LoadCaps:
        """Returns the part of the caps that the questions leave for the load.

        Nothing is left of a cap on tokens where the endpoint does not count them.
        """
        with self._lock:
            limits = self._limits
            tokens = 0 if self._uncounted else limits.tokens - self._tokens
            return LoadCaps(
                requests=limits.requests - self._requests if limits.requests else None,
                tokens=tokens if limits.tokens else None,
                seconds=self._seconds - self._spent() if self._seconds else None,
                seconds_cap=limits.seconds_cap,
            )

    @property
    def stopped(self) -> str:
        """Why no further request is sent; empty while there may be."""
        with self._lock:
            return self._reason()

    @property
    def cap_reached(self) -> str:
        """Which cap leaves nothing, and after how much; empty: none does."""
        with self._lock:
            return self._cap()

    def _add_tokens(self, reply: Reply) -> None:
        self._tokens += (reply.input_tokens or 0) + (reply.output_tokens or 0)
        self._uncounted = self._uncounted or (not reply.error and reply.output_tokens is None)

    def _spent(self) -> float:
        """Seconds of this attempt and of the earlier ones."""
        return self._clock() - self._start + self._earlier_seconds / self._concurrency

    def _reason(self) -> str:
        if self._failures >= GIVE_UP_AFTER:
            return f"{GIVE_UP_AFTER} requests in a row failed, the last with: {self._failure}"
        return self._cap()

    def _cap(self) -> str:
        limits = self._limits
        if limits.requests and self._requests >= limits.requests:
            return f"max_requests is reached: {self._requests} requests were sent"
        if limits.tokens and self._tokens >= limits.tokens:
            return f"max_tokens is reached: {self._tokens} tokens were read and written"
        if limits.tokens and self._uncounted:
            return "max_tokens cannot be kept: the endpoint does not count the tokens of its answers"
        if self._seconds and self._spent() >= self._seconds:
            return f"{limits.seconds_cap} is reached after {self._seconds:.0f} seconds"
        return ""
