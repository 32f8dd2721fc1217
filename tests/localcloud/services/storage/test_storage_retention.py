"""Holds, retention policies and object retention: the objects that they protect, for how long, and their removal."""

from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound

from localcloud.services.storage.object_rows import ObjectRow
from localcloud.services.storage.retention import RELEASED, bucket_policy, changed, check_removable, shown
from localcloud.services.storage.storage_errors import StorageError

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
AT_NOW = "2026-11-30T12:00:00.000Z"
LATER = NOW + timedelta(hours=1)
AT_LATER = "2026-11-30T13:00:00.000Z"


def row(settings=None, retained_seconds=0):
    return ObjectRow(1, "b", "o", 1, 1, 0, 0, None, None, AT_NOW, AT_NOW, None, settings or {}, retained_seconds)


@pytest.mark.parametrize(
    ("kept", "at", "reason"),
    [
        (row({"temporaryHold": True}), NOW, "objectUnderActiveHold"),
        (row({"eventBasedHold": True}, 60), LATER, "objectUnderActiveHold"),
        (row(retained_seconds=3601), LATER, "retentionPolicyNotMet"),
        (row({RELEASED: AT_LATER}, 60), LATER, "retentionPolicyNotMet"),
        (row({"retention": {"mode": "Unlocked", "retainUntilTime": AT_LATER}}), NOW, "retentionPolicyNotMet"),
        (row({"retention": {"mode": "Locked", "retainUntilTime": AT_LATER}}, 60), NOW, "retentionPolicyNotMet"),
    ],
)
def test_what_keeps_a_version(kept, at, reason):
    with pytest.raises(StorageError) as raised:
        check_removable(kept, at)
    assert (raised.value.status, raised.value.reason) == (403, reason)


@pytest.mark.parametrize(
    "free",
    [
        row(),
        row(retained_seconds=3600),
        row({"retention": {"mode": "Locked", "retainUntilTime": AT_LATER}}),
        row({"temporaryHold": False, "eventBasedHold": False}),
    ],
)
def test_what_is_let_go_when_its_time_has_come(free):
    check_removable(free, LATER)


def test_the_time_that_is_shown_is_the_policy_s():
    assert shown(row({RELEASED: AT_LATER}, 60)) == {"retentionExpirationTime": "2026-11-30T13:01:00.000Z"}
    assert shown(row({"eventBasedHold": True}, 60)) == {"eventBasedHold": True}
    assert shown(row()) == {}


def test_the_release_of_an_event_based_hold_starts_the_clock():
    released = changed({"eventBasedHold": True}, {"eventBasedHold": False}, NOW, enabled=False, override=False)
    assert released == {"eventBasedHold": False, RELEASED: AT_NOW}
    assert changed(released, {"contentType": "x"}, LATER, enabled=False, override=False)[RELEASED] == AT_NOW


@pytest.mark.parametrize(
    "asked", [{"retentionPeriod": "0"}, {"retentionPeriod": "x"}, {}, {"retentionPeriod": "9" * 11}]
)
def test_periods_that_are_refused(asked):
    if not asked:
        assert bucket_policy(asked, None, NOW) is None
        return
    with pytest.raises(StorageError, match="retentionPeriod"):
        bucket_policy(asked, None, NOW)


def test_a_locked_policy_only_grows():
    locked = {"retentionPeriod": "60", "effectiveTime": AT_NOW, "isLocked": True}
    assert bucket_policy({"retentionPeriod": "61"}, locked, LATER) == {
        "retentionPeriod": "61",
        "effectiveTime": AT_LATER,
        "isLocked": True,
    }
    for weaker in ({"retentionPeriod": "59"}, None):
        with pytest.raises(StorageError) as raised:
            bucket_policy(weaker, locked, LATER)
        assert raised.value.status == 403


def test_a_retention_policy_keeps_objects_and_is_lifted(bucket):
    bucket.retention_period = 3600
    bucket.patch()
    assert bucket.retention_policy_effective_time is not None
    blob = bucket.blob("kept")
    blob.upload_from_string("one")
    found = bucket.get_blob("kept")
    assert found.retention_expiration_time - found.time_created == timedelta(seconds=3600)
    for refused in (found.delete, lambda: bucket.blob("kept").upload_from_string("two")):
        with pytest.raises(Forbidden, match=r"retention policy .* until 20"):
            refused()
    with pytest.raises(Forbidden):
        bucket.blob("kept").compose([found])
    bucket.copy_blob(found, bucket, "copied")
    bucket.retention_period = None
    bucket.patch()
    assert bucket.retention_policy_effective_time is None
    found.reload()
    assert found.retention_expiration_time is None
    found.delete()


def test_a_default_event_based_hold_is_on_every_new_object(bucket):
    bucket.default_event_based_hold = True
    bucket.patch()
    blob = bucket.blob("held")
    blob.upload_from_string("one")
    found = bucket.get_blob("held")
    assert (found.event_based_hold, found.retention_expiration_time) == (True, None)
    with pytest.raises(Forbidden, match="active Event-Based hold"):
        found.delete()
    found.event_based_hold = False
    found.patch()
    found.delete()
    with pytest.raises(NotFound):
        found.reload()


def test_a_policy_is_locked_with_its_metageneration(bucket):
    bucket.retention_period = 60
    bucket.patch()
    bucket.lock_retention_policy()
    bucket.reload()
    assert bucket.retention_policy_locked is True
    bucket.retention_period = None
    with pytest.raises(Forbidden):
        bucket.patch()


def test_a_bucket_without_a_policy_has_none_to_lock(bucket):
    with pytest.raises(BadRequest, match="no Retention Policy"):
        bucket.client._post_resource(f"{bucket.path}/lockRetentionPolicy", None, {"ifMetagenerationMatch": 1})


def test_an_object_s_own_retention(client):
    bucket = client.create_bucket("with-object-retention", enable_object_retention=True)
    assert bucket.object_retention_mode == "Enabled"
    blob = bucket.blob("kept")
    blob.upload_from_string("one")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    blob.retention.mode, blob.retention.retain_until_time = "Unlocked", until
    blob.patch()
    blob.reload()
    assert (blob.retention.mode, blob.retention.retain_until_time) == ("Unlocked", until)
    with pytest.raises(Forbidden, match="object retention"):
        blob.delete()
    blob.retention.retain_until_time = until - timedelta(hours=1)
    with pytest.raises(Forbidden, match="overrideUnlockedRetention"):
        blob.patch()
    blob.reload()
    blob.retention.mode = blob.retention.retain_until_time = None
    blob.patch(override_unlocked_retention=True)
    assert blob.retention.mode is None
    blob.delete()


def test_a_locked_retention_only_grows(client):
    bucket = client.create_bucket("with-locked-retention", enable_object_retention=True)
    blob = bucket.blob("kept")
    blob.upload_from_string("one")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    blob.retention.mode, blob.retention.retain_until_time = "Locked", until
    blob.patch()
    blob.retention.retain_until_time = until + timedelta(days=1)
    blob.patch()
    blob.retention.mode = blob.retention.retain_until_time = None
    with pytest.raises(Forbidden, match="locked object retention"):
        blob.patch(override_unlocked_retention=True)


def test_a_bucket_that_does_not_know_object_retention_refuses_it(bucket):
    blob = bucket.blob("free")
    blob.upload_from_string("one")
    blob.retention.mode = "Unlocked"
    blob.retention.retain_until_time = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(BadRequest, match="enabled on the bucket"):
        blob.patch()
