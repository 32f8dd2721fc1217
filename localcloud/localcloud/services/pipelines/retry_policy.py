"""Retries of a failed task: their number and the seconds before each, from `retryPolicy` of the task spec."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_FACTOR = 2.0
_LONGEST_SECONDS = 3600.0


def attempt(run: Callable[[], bool], task: Mapping[str, Any], wait: Callable[[float], None] = time.sleep) -> bool:
    """Calls `run` until it returns True or the task's retries are used up. Returns whether it succeeded."""
    if run():
        return True
    for seconds in retry_delays(task):
        wait(seconds)
        if run():
            return True
    return False


def retry_delays(task: Mapping[str, Any]) -> Iterator[float]:
    """Seconds before each retry; empty without a policy."""
    policy = task.get("retryPolicy", {})
    first = _seconds(policy.get("backoffDuration", "0s"))
    factor = float(policy.get("backoffFactor") or _FACTOR)
    longest = _seconds(policy.get("backoffMaxDuration", f"{_LONGEST_SECONDS}s"))
    for number in range(int(policy.get("maxRetryCount", 0))):
        yield min(first * factor**number, longest)


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
