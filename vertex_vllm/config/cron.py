"""Crons and time zones that Vertex AI's schedules accept."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5
# Extensions of `cronsim` beyond unix cron: last day (L, LW, 5L), other than in JUL, and n-th weekday (#).
_BEYOND_CRON = re.compile(r"(?<![A-Z])L|#", re.IGNORECASE)


def cron_fault(cron: str) -> str:
    """The fault of a cron, worded to follow its field's name; "" for a valid one."""
    if "TZ=" in cron.upper():
        return "must not name a time zone. Give it as time_zone"
    if len(cron.split()) != _FIELDS or _BEYOND_CRON.search(cron):
        return "must be minute hour day-of-month month day-of-week, for example 0 3 * * 1-5"
    try:
        CronSim(cron, datetime.now(UTC))
    except (CronSimError, ValueError) as error:  # the latter for a number of thousands of digits
        return f"has a {str(error).lower()}. It is minute hour day-of-month month day-of-week, for example 0 3 * * 1-5"
    return ""


def first_time(cron: str, time_zone: str, begin: datetime) -> datetime | None:
    """The first time of a valid cron at or after `begin`, a moment of any time zone; None for 50 years without one."""
    try:
        # CronSim's times come after the moment that it is given.
        return next(CronSim(cron, begin.astimezone(ZoneInfo(time_zone)) - timedelta(seconds=1)), None)
    except (OverflowError, ValueError):  # beyond the year 9999
        return None


def is_time_zone(name: str) -> bool:
    """Whether the IANA time zone database has it."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder's name, a path, an unknown name
        return False
    return True
