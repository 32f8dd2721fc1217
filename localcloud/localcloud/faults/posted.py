"""The posted faults in order, and the choice of the fault that strikes a call."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localcloud.faults.calls import Call
from localcloud.faults.checks import Methods, read_fault
from localcloud.faults.kinds import Fault


class _Posted:
    """One fault with its counts."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.met = 0
        self.struck = 0
        self.striking = 0
        self._random = random.Random(fault.seed)

    @property
    def spent(self) -> bool:
        return self.fault.limit is not None and self.struck >= self.fault.limit

    def meet(self) -> bool:
        """Counts the next matching call; returns whether the fault would strike it."""
        self.met += 1
        if self.fault.probability is not None:
            return self._random.random() < self.fault.probability
        return self.met >= self.fault.nth


class Strike:
    """A fault that a call has taken. It is given back if it turns out not to affect the call."""

    def __init__(self, faults: "Faults", posted: _Posted) -> None:
        self.fault = posted.fault
        self._faults = faults
        self._posted = posted

    def give_back(self) -> None:
        self._faults.give_back(self._posted)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """The time during which the fault strikes: until its call has been executed or refused."""
        self._faults.begin(self._posted)
        try:
            yield
        finally:
            self._faults.end(self._posted)


class Faults:
    """The posted faults. Thread-safe. At most one fault strikes a call: the first posted of those that are due."""

    def __init__(self, methods: Methods | None = None) -> None:
        """`methods`: those that a fault may name as `rpc`; None: there are none."""
        self._methods: Methods = methods or {}
        self._posted: list[_Posted] = []
        self._count = 0
        self._lock = threading.Lock()
        self.waiting = False
        """Whether any fault may still strike; calls read only this while none may."""

    def post(self, fields: Any) -> int:
        """Adds a fault, given as plain JSON; returns its number. Raises ApiError INVALID_ARGUMENT."""
        fault = read_fault(fields, self._methods)
        with self._lock:
            self._count += 1
            self._posted.append(_Posted(self._count, fault))
            self.waiting = True
            return self._count

    def clear(self) -> None:
        """Removes all faults. A fault that has already struck keeps its effect."""
        with self._lock:
            self._posted.clear()
            self.waiting = False

    def list(self) -> list[dict[str, Any]]:
        """All faults since the last `clear`, used-up ones too.

        Each with how many calls it met and struck, and how many calls it is `striking` now.
        """
        with self._lock:
            return [
                {
                    "id": posted.number,
                    **posted.fault.model_dump(exclude_unset=True),
                    "met": posted.met,
                    "struck": posted.struck,
                    "striking": posted.striking,
                }
                for posted in self._posted
            ]

    def take(self, call: Call) -> Strike | None:
        """The fault that strikes this call, if any. Every matching fault counts the call."""
        with self._lock:
            due = [p for p in self._posted if not p.spent and p.fault.meets(call) and p.meet()]
            if not due:
                return None
            due[0].struck += 1
            self._look()
            return Strike(self, due[0])

    def give_back(self, posted: _Posted) -> None:
        with self._lock:
            posted.struck -= 1
            self._look()

    def begin(self, posted: _Posted) -> None:
        with self._lock:
            posted.striking += 1

    def end(self, posted: _Posted) -> None:
        with self._lock:
            posted.striking -= 1

    def _look(self) -> None:
        self.waiting = any(not posted.spent for posted in self._posted)
