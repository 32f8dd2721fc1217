"""What is worth another try, and how long to wait before it: one answer for everything this project calls by hand.

Google's own clients retry by themselves. What is here serves the Hub's API, ranged reads and the multipart upload.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
from google.api_core.retry import exponential_sleep_generator, retry_target

# "Retry strategy" of Cloud Storage and huggingface_hub's `http_backoff` name the same six.
RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504})
# Seconds. The Hub counts requests in windows of five minutes, so no service has reason to ask for much more.
LONGEST_WAIT = 330
_FIRST_WAIT = 1.0
_LONGEST_BACKOFF = 32.0

Answer = TypeVar("Answer")

OnRetry = Callable[[str, Exception], None]
"""Told of a failure that is met with another try, after the path of the file that it concerns."""


def ignore_retry(path: str, error: Exception) -> None:
    """For those who do not count."""


class TransientError(Exception):
    """A failure that another try may cure. Its text never holds a URL's query or a header: it may be logged."""

    def __init__(self, message: str, retry_after: float = 0.0, *, throttled: bool = False) -> None:
        """`throttled`: the service says that it is asked too much."""
        super().__init__(message)
        self.retry_after = retry_after
        self.throttled = throttled


def is_transient(error: Exception) -> bool:
    """True where the service or the network failed, not the request."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return status in RETRYABLE_STATUS
    return isinstance(error, TransientError | ConnectionError | TimeoutError | requests.ConnectionError)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a service asks us to wait; 0 when it does not ask, never more than LONGEST_WAIT.

    From `Retry-After` (seconds or a date), else from the Hub's `RateLimit` when it says that nothing remains.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    seconds: float = _seconds(lowered.get("retry-after", "").strip())
    # IETF draft-ietf-httpapi-ratelimit-headers-09, as the Hub sends it: "api";r=0;t=55
    if not seconds and (limit := re.search(r";\s*r=0\s*;\s*t=(\d{1,9})", lowered.get("ratelimit", ""))):
        seconds = float(limit[1])
    return min(max(seconds, 0.0), LONGEST_WAIT)


def with_retries(target: Callable[[], Answer], *, seconds: float) -> Answer:
    """Answer of `target`, called again after transient errors, with ever longer waits or those the service asked for.

    Raises the last error itself when it is not transient, or when the next try would begin after `seconds`.
    """
    backoff = _Backoff()
    result: Answer = retry_target(
        target, is_transient, backoff, timeout=seconds, on_error=backoff.note, exception_factory=_last_error
    )
    return result


class _Backoff(Iterator[float]):
    """Exponential with jitter, but never less than the service asked for last."""

    def __init__(self) -> None:
        self._waits = exponential_sleep_generator(_FIRST_WAIT, _LONGEST_BACKOFF)
        self._asked = 0.0

    def note(self, error: Exception) -> None:
        response = getattr(error, "response", None)
        self._asked = getattr(error, "retry_after", 0.0) if response is None else retry_after(response.headers)

    def __next__(self) -> float:
        return max(self._asked, float(next(self._waits)))


def _last_error(errors: list[Exception], *_: Any) -> tuple[Exception, None]:
    return errors[-1], None


def _seconds(text: str) -> float:
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return float((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
