"""The times of a schedule: five cron fields, in a time zone of their own or in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.+)")
_FIELDS = 5
# Extensions of `cronsim` beyond unix cron: last day (L, LW, 5L), other than in JUL, and n-th weekday (#).
_BEYOND_CRON = re.compile(r"(?<![A-Z])L|#", re.IGNORECASE)


@dataclass(frozen=True)
class Cron:
    fields: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment`, in UTC; None when there is none in 50 years.

        As with Debian's cron, a time that the clocks skip comes right after the change; a repeated time comes once.
        """
        for candidate in CronSim(self.fields, moment.astimezone(self.zone)):
            # Compared in UTC, because Python compares two times of one zone by their wall clock.
            found = candidate.astimezone(UTC)
            if found > moment:
                return found
        return None


def parse_cron(text: str) -> Cron:
    """Parses `[TZ=Area/City ]minute hour day-of-month month day-of-week`. Raises ValueError."""
    match = _ZONE.fullmatch(text.strip())
    zone_name, fields = match.groups() if match else ("UTC", text.strip())
    try:
        zone = ZoneInfo(zone_name)
    except (OSError, ValueError, LookupError):  # a folder's name, a path, an unknown name
        raise ValueError(f"{zone_name!r} is not in the IANA time zone database") from None
    if len(fields.split()) != _FIELDS or _BEYOND_CRON.search(fields):
        raise ValueError(
            f"{fields!r} is not of the form `minute hour day-of-month month day-of-week` with an optional TZ=Area/City"
        )
    try:
        CronSim(fields, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"{fields!r}: {str(error)[:1].lower()}{str(error)[1:]}") from None
    return Cron(fields, zone)
