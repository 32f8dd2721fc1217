"""Crons and time zones that Vertex AI's schedules accept."""

import re
from datetime import UTC, datetime
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


def is_time_zone(name: str) -> bool:
    """Whether the IANA time zone database has it."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder's name, a path, an unknown name
        return False
    return True
