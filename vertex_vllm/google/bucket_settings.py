"""Settings of a bucket under which it cannot hold weights, reported before the first byte is written."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import BucketError

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

_LOG = logging.getLogger(__name__)
UNFINISHED_UPLOAD_DAYS = 7
"""An abandoned multipart upload is kept, and billed, for ever; the longest mirror takes hours."""
# Conditions of a lifecycle rule that no live object without a custom time fulfils ("Object Lifecycle Management").
_NEVER_LIVE = (
    "numNewerVersions",
    "daysSinceNoncurrentTime",
    "noncurrentTimeBefore",
    "daysSinceCustomTime",
    "customTimeBefore",
)
_OF_VERSIONS = ("numNewerVersions", "daysSinceNoncurrentTime", "noncurrentTimeBefore")
# Fewest days that an object of the class is paid for ("Storage classes", minimum storage duration).
_LEAST_DAYS = {"NEARLINE": 30, "COLDLINE": 90, "ARCHIVE": 365}
# Endings of the names of files that serving needs, of manifests and of locks.
_ENDS = (".safetensors", ".json", ".bin", ".pt", ".txt", ".model", ".jinja", ".tiktoken", ".py")


@dataclass(frozen=True)
class BucketSettings:
    """Settings that decide whether a bucket can hold a mirror."""

    default_event_based_hold: bool = False
    retention_seconds: int = 0
    """Period of the retention policy; 0 without one."""
    retention_locked: bool = False
    requester_pays: bool = False
    storage_class: str = "STANDARD"
    keeps_versions: bool = False
    lifecycle: tuple[Mapping[str, Any], ...] = ()
    """Rules as the JSON API has them: `action` and `condition`."""


def settings_of(bucket: "Bucket") -> BucketSettings:
    """The settings of a bucket that google-cloud-storage has read."""
    return BucketSettings(
        default_event_based_hold=bool(bucket.default_event_based_hold),
        retention_seconds=int(bucket.retention_period or 0),
        retention_locked=bool(bucket.retention_policy_locked),
        requester_pays=bool(bucket.requester_pays),
        storage_class=str(bucket.storage_class or "STANDARD"),
        keeps_versions=bool(bucket.versioning_enabled),
        lifecycle=tuple(dict(rule) for rule in bucket.lifecycle_rules),
    )


def check_fit(settings: BucketSettings, bucket: str, prefixes: Sequence[str] = ("models/", "locks/")) -> None:
    """Raises BucketError where objects under one of `prefixes` could not be replaced, deleted, kept or read.

    A mirror replaces and deletes journals, a run its lock; a lifecycle rule would delete weights that are served.
    Settings that only cost more than they must are logged as warnings.
    """
    today = datetime.now(UTC).date()
    found = list(_faults(settings, prefixes, today))
    if found:
        faults, fixes = zip(*found, strict=True)
        uri = f"gs://{bucket}"
        fix = " ".join(each.format(bucket=uri) for each in dict.fromkeys(fixes))
        raise BucketError(
            f"cannot hold a mirror: {'; '.join(faults)}", bucket=bucket, fix=f"Name another bucket. Or: {fix}"
        )
    for caution in _cautions(settings, prefixes, today):
        _LOG.warning("gs://%s: %s", bucket, caution)


def _cautions(settings: BucketSettings, prefixes: Sequence[str], today: date) -> Iterator[str]:
    """Settings that a mirror works with, at a price (Cloud Storage, "Storage classes", "Object Versioning")."""
    charge = "each load of weights is charged as a retrieval, and so is a deletion within {days} days"
    if days := _LEAST_DAYS.get(settings.storage_class):
        yield f"objects are of the class {settings.storage_class}: {charge.format(days=days)}"
    for rule in settings.lifecycle:
        target = str((rule.get("action") or {}).get("storageClass"))
        if (days := _LEAST_DAYS.get(target)) and _meets(_condition(rule), _classes(settings), prefixes, today):
            yield f"a lifecycle rule moves objects to {target}: {charge.format(days=days)}"
    if settings.keeps_versions and not any(_ends_versions(_condition(rule)) for rule in settings.lifecycle):
        yield "the bucket keeps versions, and no lifecycle rule ends them: what is replaced or deleted stays paid for"


def _ends_versions(condition: Mapping[str, Any]) -> bool:
    return condition.get("isLive") is False or bool(condition.keys() & set(_OF_VERSIONS))


def _classes(settings: BucketSettings) -> frozenset[str]:
    """Storage classes of the mirror's objects: the bucket's own, and those that its rules move objects to."""
    actions = (rule.get("action") or {} for rule in settings.lifecycle)
    return frozenset(
        {settings.storage_class, *(str(each["storageClass"]) for each in actions if "storageClass" in each)}
    )


def _condition(rule: Mapping[str, Any]) -> dict[str, Any]:
    return dict(rule.get("condition") or {})


def _faults(settings: BucketSettings, prefixes: Sequence[str], today: date) -> Iterator[tuple[str, str]]:
    """Faults, each with the command that removes its cause."""
    update = "gcloud storage buckets update {bucket}"
    if settings.default_event_based_hold:
        yield (
            "every new object gets an event-based hold, so that it cannot be replaced or deleted",
            f"{update} --no-default-event-based-hold.",
        )
    if settings.retention_seconds:
        locked = settings.retention_locked
        yield (
            f"its {'locked ' if locked else ''}retention policy keeps objects for {settings.retention_seconds} s, and "
            "until then they cannot be replaced or deleted",
            "A locked policy cannot be removed." if locked else f"{update} --clear-retention-period.",
        )
    if settings.requester_pays:
        yield "requesters pay, and a serving container names no project", f"{update} --no-requester-pays."
    for rule in settings.lifecycle:
        yield from _of_rule(rule, _classes(settings), prefixes, today)


def _of_rule(
    rule: Mapping[str, Any], classes: frozenset[str], prefixes: Sequence[str], today: date
) -> Iterator[tuple[str, str]]:
    condition = _condition(rule)
    action = (rule.get("action") or {}).get("type")
    change = "Change its lifecycle rules: gcloud storage buckets update {bucket} --lifecycle-file=FILE."
    if not _meets(condition, classes, prefixes, today):
        return
    if action == "Delete":
        when = f"after {condition['age']} days" if condition.get("age") else f"that meet {condition}"
        yield f"a lifecycle rule deletes objects {when}, and so weights that are served", change
    if action == "AbortIncompleteMultipartUpload" and not condition.get("age"):
        yield "a lifecycle rule ends uploads on their first day", change


def _meets(condition: Mapping[str, Any], classes: frozenset[str], prefixes: Sequence[str], today: date) -> bool:
    """Whether a live object under one of the prefixes, written from now on, may at some time fulfil the condition."""
    if condition.get("isLive") is False or any(condition.get(name) is not None for name in _NEVER_LIVE):
        return False
    if (matched := condition.get("matchesStorageClass")) and classes.isdisjoint(matched):
        return False
    before = str(condition.get("createdBefore") or "")
    if before and before[:10] <= today.isoformat():
        return False
    wanted = condition.get("matchesPrefix")
    if wanted and not any(one.startswith(other) or other.startswith(one) for one in wanted for other in prefixes):
        return False
    ends = condition.get("matchesSuffix")
    return not ends or any(one.endswith(other) or other.endswith(one) for one in ends for other in _ENDS)
