"""Holds and retention, which protect a version of an object from deletion and replacement, and until when.

cloud.google.com/storage/docs/bucket-lock, /object-holds and /object-lock. A version is protected by a temporary or an
event-based hold; by the bucket's retention policy for its period, counted from the version's creation or from the
release of its event-based hold; and by its own retention configuration. The longest protection counts.
"""

from datetime import datetime, timedelta
from typing import Any

from localcloud.services.storage.backend import format_time
from localcloud.services.storage.object_rows import ObjectRow
from localcloud.services.storage.storage_errors import StorageError, invalid

Settings = dict[str, Any]

RELEASED = "_eventBasedHoldReleased"
"""Internal key in a version's settings: the time of the release of its event-based hold."""
# "Retention periods": at most 100 years.
_LONGEST_PERIOD = 3_155_760_000
_MODES = ("Unlocked", "Locked")


def check_removable(row: ObjectRow, now: datetime) -> None:
    """Raises StorageError (403) if a hold or a retention protects the version."""
    named = f"Object '{row.bucket}/{row.name}'"
    for field, kind in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
        if row.settings.get(field):
            message = f"{named} is under active {kind} hold and cannot be deleted, overwritten or archived."
            raise StorageError(403, "objectUnderActiveHold", message, "ObjectUnderActiveHold")
    until = max((time for time in (_by_policy(row), _by_itself(row)) if time is not None), default=None)
    if until is not None and now < until:
        message = (
            f"{named} is subject to bucket's retention policy or object retention and cannot be deleted or "
            f"overwritten until {format_time(until)}"
        )
        raise StorageError(403, "retentionPolicyNotMet", message, "RetentionPolicyNotMet")


def shown(row: ObjectRow) -> Settings:
    """A version's settings as the API shows them, with the end of its protection by the bucket's policy."""
    settings = {name: value for name, value in row.settings.items() if not name.startswith("_")}
    until = _by_policy(row)
    if until is not None:
        settings["retentionExpirationTime"] = format_time(until)
    return settings


def changed(before: Settings, after: Settings, now: datetime, *, enabled: bool, override: bool) -> Settings:
    """A version's settings after a change. `enabled`: the bucket allows retention of single versions.

    Raises StorageError (400, 403) for a retention configuration that may not be set, shortened or removed.
    """
    settings = {name: value for name, value in after.items() if name != RELEASED}
    if RELEASED in before:
        settings[RELEASED] = before[RELEASED]
    if before.get("eventBasedHold") and not after.get("eventBasedHold"):
        settings[RELEASED] = format_time(now)
    asked, had = after.get("retention") or {}, before.get("retention") or {}
    if not asked:
        settings.pop("retention", None)
    else:
        settings["retention"] = _checked(asked, now, enabled=enabled, unchanged=asked == had)
    if had and _weaker(had, asked):
        if had["mode"] == "Locked":
            raise StorageError(403, "forbidden", "A locked object retention cannot be shortened, unlocked or removed.")
        if not override:
            message = "An unlocked object retention is shortened or removed with overrideUnlockedRetention=true alone."
            raise StorageError(403, "forbidden", message)
    return settings


def bucket_policy(asked: Settings | None, before: Settings | None, now: datetime) -> Settings | None:
    """A bucket's retention policy after a change; None: no policy.

    The server sets `effectiveTime` (JSON API, "Buckets"). Raises StorageError (400) for an invalid period, (403)
    for shortening or removing a locked policy.
    """
    locked = bool((before or {}).get("isLocked"))
    if not asked:
        if locked:
            raise StorageError(403, "forbidden", "Cannot remove a locked Retention Policy.")
        return None
    period = str(asked.get("retentionPeriod", ""))
    if not period.isdigit() or not 0 < int(period) <= _LONGEST_PERIOD:
        raise invalid(
            f"Invalid argument: retentionPolicy.retentionPeriod {period!r} is not a number of seconds between 1 and "
            f"{_LONGEST_PERIOD}."
        )
    if locked and before is not None and int(period) < int(before["retentionPeriod"]):
        raise StorageError(403, "forbidden", "Cannot reduce retention duration of a locked Retention Policy.")
    unchanged = before is not None and before.get("retentionPeriod") == period
    policy: Settings = {
        "retentionPeriod": period,
        "effectiveTime": before["effectiveTime"] if before is not None and unchanged else format_time(now),
    }
    return {**policy, "isLocked": True} if locked else policy


def _by_policy(row: ObjectRow) -> datetime | None:
    """End of the protection by the bucket's policy; None without a policy and during an event-based hold."""
    if not row.retained_seconds or row.settings.get("eventBasedHold"):
        return None
    begun = datetime.fromisoformat(row.settings.get(RELEASED) or row.time_created)
    return begun + timedelta(seconds=row.retained_seconds)


def _by_itself(row: ObjectRow) -> datetime | None:
    retention = row.settings.get("retention")
    return datetime.fromisoformat(retention["retainUntilTime"]) if retention else None


def _checked(asked: Settings, now: datetime, *, enabled: bool, unchanged: bool) -> Settings:
    if not enabled:
        raise invalid("Object retention must be enabled on the bucket before an object gets a retention configuration.")
    mode, text = asked.get("mode"), str(asked.get("retainUntilTime", ""))
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        until = now
    if mode not in _MODES or until.tzinfo is None or (until <= now and not unchanged):
        raise invalid(
            f"Invalid argument: object retention {asked!r} needs a mode ({' or '.join(_MODES)}) and a retainUntilTime "
            "in the future."
        )
    return {"mode": mode, "retainUntilTime": format_time(until)}


def _weaker(had: Settings, asked: Settings) -> bool:
    if not asked or (had["mode"] == "Locked" and asked.get("mode") != "Locked"):
        return True
    return datetime.fromisoformat(str(asked["retainUntilTime"])) < datetime.fromisoformat(had["retainUntilTime"])
