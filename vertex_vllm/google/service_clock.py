"""The time by Google's own clock, which dates resources, runs and expiry labels: not that of this machine."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

# Every answer has a date (RFC 9110, 6.6.1), refusals too: so no credentials are sent.
_ADDRESS = "https://storage.googleapis.com/"
_TIMEOUT_SECONDS = 3.0
# Seconds. The header has whole seconds, and the answer took time to arrive.
_SAME = timedelta(seconds=2)

Clock = Callable[[], datetime]


def service_clock() -> Clock:
    """A clock that agrees with Google's; asked once, with one request to Cloud Storage.

    This machine's clock if Cloud Storage does not answer within 3 seconds, or if the two differ by less than 2 seconds.
    """
    offset = _offset()
    return lambda: datetime.now(UTC) + offset


def _offset() -> timedelta:
    try:
        answer = requests.head(_ADDRESS, timeout=_TIMEOUT_SECONDS)
        ahead = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
    except (requests.RequestException, KeyError, ValueError, TypeError):
        return timedelta()
    return ahead if abs(ahead) > _SAME else timedelta()
