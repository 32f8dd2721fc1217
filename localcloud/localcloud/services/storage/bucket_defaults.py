"""Defaults for bucket settings that a caller leaves out.

Evidence: answers of the real service, recorded between 2024-08 and 2026-08 (docs/local-cloud.md, "How faithful it is").
"""

from datetime import datetime, timedelta
from typing import Any

from localcloud.services.storage.backend import format_time
from localcloud.services.storage.retention import bucket_policy
from localcloud.services.storage.storage_errors import invalid

Settings = dict[str, Any]

# "you can disable uniform bucket-level access for 90 days" (cloud.google.com/storage/docs/uniform-bucket-level-access).
_UNIFORM_ACCESS_LOCK = timedelta(days=90)
# cloud.google.com/storage/docs/soft-delete: 7 days unless set; 0 turns it off; else 7 to 90 days.
_DEFAULT_RETENTION_SECONDS = 7 * 24 * 3600
_LONGEST_RETENTION_SECONDS = 90 * 24 * 3600
# cloud.google.com/storage/docs/autoclass: "Nearline is the default terminal storage class".
_DEFAULT_TERMINAL_CLASS = "NEARLINE"
_TERMINAL_CLASSES = ("NEARLINE", "ARCHIVE")


def complete(asked: Settings, before: Settings, now: datetime) -> Settings:
    """`asked` with defaults; unchanged settings keep the times in `before`. Raises StorageError (400)."""
    settings: Settings = {"storageClass": "STANDARD", **asked}
    if not (asked.get("lifecycle") or {}).get("rule"):
        settings.pop("lifecycle", None)
    for empty in [name for name in ("cors", "labels") if name in settings and not settings[name]]:
        del settings[empty]
    policy = bucket_policy(asked.get("retentionPolicy"), before.get("retentionPolicy"), now)
    settings.pop("retentionPolicy", None)
    if policy is not None:
        settings["retentionPolicy"] = policy
    if "objectRetention" in before:
        settings["objectRetention"] = before["objectRetention"]
    settings["iamConfiguration"] = _access(asked.get("iamConfiguration", {}), before.get("iamConfiguration", {}), now)
    settings["softDeletePolicy"] = _soft_delete(asked.get("softDeletePolicy"), before.get("softDeletePolicy"), now)
    if "autoclass" in asked:
        settings["autoclass"] = _autoclass(asked["autoclass"], before.get("autoclass", {}), now)
        if settings["autoclass"]["enabled"]:
            # Autoclass starts every object in Standard storage and ignores the class that the request names.
            settings["storageClass"] = "STANDARD"
    return settings


def _access(asked: Settings, before: Settings, now: datetime) -> Settings:
    access: Settings = asked.get("uniformBucketLevelAccess", asked.get("bucketPolicyOnly")) or {}
    uniform: Settings = {"enabled": bool(access.get("enabled"))}
    if uniform["enabled"]:
        earlier = before.get("uniformBucketLevelAccess", {})
        uniform["lockedTime"] = earlier.get("lockedTime") or format_time(now + _UNIFORM_ACCESS_LOCK)
    return {
        "bucketPolicyOnly": uniform,
        "uniformBucketLevelAccess": uniform,
        "publicAccessPrevention": asked.get("publicAccessPrevention", "inherited"),
    }


def _soft_delete(asked: Settings | None, before: Settings | None, now: datetime) -> Settings:
    """The soft delete policy with defaults; without `effectiveTime` if it is off. Raises StorageError (400)."""
    text = (asked or {}).get("retentionDurationSeconds", _DEFAULT_RETENTION_SECONDS)
    seconds = int(text) if str(text).isdigit() else -1
    if seconds != 0 and not _DEFAULT_RETENTION_SECONDS <= seconds <= _LONGEST_RETENTION_SECONDS:
        raise invalid(
            f"Invalid argument: softDeletePolicy.retentionDurationSeconds {text!r} is neither 0 nor between "
            f"{_DEFAULT_RETENTION_SECONDS} and {_LONGEST_RETENTION_SECONDS}."
        )
    policy: Settings = {"retentionDurationSeconds": str(seconds)}
    if seconds:
        unchanged = before is not None and before.get("retentionDurationSeconds") == str(seconds)
        policy["effectiveTime"] = before["effectiveTime"] if before is not None and unchanged else format_time(now)
    return policy


def _autoclass(asked: Settings, before: Settings, now: datetime) -> Settings:
    terminal = asked.get("terminalStorageClass", _DEFAULT_TERMINAL_CLASS)
    if terminal not in _TERMINAL_CLASSES:
        raise invalid(f"Invalid argument: autoclass.terminalStorageClass {terminal!r}; use NEARLINE or ARCHIVE.")
    enabled = bool(asked.get("enabled"))
    toggled = before.get("toggleTime") if before.get("enabled") == enabled else None
    if not enabled:
        return {"enabled": False, "toggleTime": toggled or format_time(now)}
    changed = before.get("terminalStorageClassUpdateTime") if before.get("terminalStorageClass") == terminal else None
    return {
        "enabled": True,
        "toggleTime": toggled or format_time(now),
        "terminalStorageClass": terminal,
        "terminalStorageClassUpdateTime": changed or format_time(now),
    }
