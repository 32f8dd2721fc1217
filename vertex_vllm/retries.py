"""Which errors are retried, and how long to wait before each try: `with_retries` for calls over HTTP (the Hub, ranged
reads, the multipart upload, bootstrap), `google_retry` for Google's clients, which retry by themselves when given a
policy."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import requests
from google.api_core import exceptions
from google.api_core.retry import Retry, exponential_sleep_generator, if_exception_type
from google.auth.exceptions import TransportError

from vertex_vllm.error_data import RETRYABLE_STATUS

# Seconds. The Hub counts requests in windows of five minutes, so no service needs to ask for a longer wait.
LONGEST_WAIT = 330
_FIRST_WAIT = 1.0
_LONGEST_BACKOFF = 32.0
# Google's clients answer sooner, and are asked within a minute.
_FIRST_GOOGLE_WAIT = 0.5
_LONGEST_GOOGLE_BACKOFF = 8.0
_LINE_SECONDS = 5.0
"""Longest time between two log lines about the same wait."""
_SAME_LINE_SECONDS = 0.5
_SAID: dict[str, tuple[float, int]] = {}
"""Reason of a wait → when it was last said, by `time.monotonic`, and the thread that did."""
_SAID_LOCK = threading.Lock()
_MOST_REMEMBERED = 1000

_LOG = logging.getLogger(__name__)

TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,  # DEADLINE_EXCEEDED too
    exceptions.TooManyRequests,  # RESOURCE_EXHAUSTED too
    exceptions.BadGateway,
    exceptions.InternalServerError,
    exceptions.Unknown,
    exceptions.RetryError,
    TransportError,
)
"""Errors of Google's clients after which the same call may succeed: safe to repeat for a read, not for every create."""

Answer = TypeVar("Answer")

OnRetry = Callable[[str, Exception], None]
"""Called with the path of a file and its failure before another attempt."""


def ignore_retry(path: str, error: Exception) -> None:
    """Ignores the failure, for callers that do not count retries."""


class TransientError(Exception):
    """A failure after which another attempt may succeed. Its text, without URL's query and headers, may be logged."""

    def __init__(
        self,
        message: str,
        retry_after: float = 0.0,
        *,
        throttled: bool = False,
        fix: str = "",
        patience_seconds: float = float("inf"),
    ) -> None:
        """`throttled`: the service gets too many requests. `patience_seconds`: retries beyond this time are useless."""
        super().__init__(message)
        self.retry_after = retry_after
        self.throttled = throttled
        self.fix = fix
        self.patience_seconds = patience_seconds


def is_transient(error: Exception) -> bool:
    """True where the service or the network failed, not the request."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return status in RETRYABLE_STATUS
    return isinstance(error, TransientError | ConnectionError | TimeoutError | requests.ConnectionError)


def google_retry(seconds: float, errors: tuple[type[Exception], ...] = TRANSIENT) -> Retry:
    """The retry policy of an idempotent call of a Google client, for `seconds` in all."""
    return Retry(
        predicate=if_exception_type(*errors),
        initial=_FIRST_GOOGLE_WAIT,
        maximum=_LONGEST_GOOGLE_BACKOFF,
        multiplier=2.0,
        timeout=seconds,
    )


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


def with_retries(target: Callable[[], Answer], *, seconds: float, waiting_for: str = "") -> Answer:
    """Answer of `target`, called again after transient errors, with ever longer waits or those the service asked for.

    Each wait is logged as a warning, with `waiting_for`, the error and its length; a long one every five seconds.
    Raises the last error itself when it is not transient, or when the next try would begin after `seconds`.
    """
    begun = time.monotonic()
    waits = exponential_sleep_generator(_FIRST_WAIT, _LONGEST_BACKOFF)
    while True:
        try:
            return target()
        except Exception as error:
            if not is_transient(error):
                raise
            wait = max(_asked_wait(error), float(next(waits)))
            patience = min(seconds, getattr(error, "patience_seconds", seconds))
            left = patience - (time.monotonic() - begun)
            if wait > left:
                raise
            reason = str(error) or type(error).__name__
        _sleep(wait, f"{waiting_for}: {reason}" if waiting_for else reason, left)


@contextmanager
def saying_what_lasts(waiting_for: str) -> Iterator[None]:
    """Logs a warning for every five seconds that the body takes."""
    over = threading.Event()
    begun = time.monotonic()

    def say() -> None:
        while not over.wait(_LINE_SECONDS):
            _LOG.warning("%s: %.0f s so far", waiting_for, time.monotonic() - begun)

    threading.Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _sleep(seconds: float, reason: str, left: float) -> None:
    """Sleeps, and says at least every five seconds why, until when, and when trying ends."""
    end = time.monotonic() + seconds
    begun = True
    while begun or (rest := end - time.monotonic()) > 0:
        rest = seconds if begun else rest
        begun = False
        if _is_due(reason):
            after = max(left - (seconds - rest), 0.0)
            _LOG.warning("%s; trying again in %.1f s, giving up after another %.0f s", reason, rest, after)
        time.sleep(min(rest, _LINE_SECONDS))


def _is_due(reason: str) -> bool:
    """Whether to log the reason: not if another thread has just logged it, since many may wait for one service."""
    now, own = time.monotonic(), threading.get_ident()
    with _SAID_LOCK:
        said, by = _SAID.get(reason, (float("-inf"), own))
        due = by == own or now - said >= _SAME_LINE_SECONDS
        if due:
            if len(_SAID) >= _MOST_REMEMBERED:
                _SAID.clear()
            _SAID[reason] = now, own
    return due


def _asked_wait(error: Exception) -> float:
    """Seconds that the service asked us to wait."""
    response = getattr(error, "response", None)
    return getattr(error, "retry_after", 0.0) if response is None else retry_after(response.headers)


def _seconds(text: str) -> float:
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return float((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
