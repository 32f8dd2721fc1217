"""Fields that a bucket shows though nobody set them."""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.services.storage.bucket_defaults import complete
from localcloud.services.storage.storage_errors import StorageError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
AT_NOW, AT_LATER = "2026-03-01T12:00:00.000Z", "2026-03-02T12:00:00.000Z"
OPEN = {"bucketPolicyOnly": {"enabled": False}, "uniformBucketLevelAccess": {"enabled": False}}
PLAIN = {
    "storageClass": "STANDARD",
    "iamConfiguration": {**OPEN, "publicAccessPrevention": "inherited"},
    "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": AT_NOW},
}


def test_a_bucket_without_settings():
    assert complete({}, {}, NOW) == PLAIN


def test_an_empty_lifecycle_is_not_shown():
    assert complete({"lifecycle": {"rule": []}}, {}, NOW) == PLAIN


def test_empty_lists_and_labels_are_not_shown():
    assert complete({"cors": [], "labels": {}}, {}, NOW) == PLAIN


def test_a_retention_policy_has_a_time_from_which_it_is_effective():
    kept = complete({"retentionPolicy": {"retentionPeriod": 60}}, {}, NOW)
    same = complete({"retentionPolicy": {"retentionPeriod": "60"}}, kept, LATER)
    longer = complete({"retentionPolicy": {"retentionPeriod": "61"}}, kept, LATER)

    assert kept["retentionPolicy"] == same["retentionPolicy"] == {"retentionPeriod": "60", "effectiveTime": AT_NOW}
    assert longer["retentionPolicy"] == {"retentionPeriod": "61", "effectiveTime": AT_LATER}
    with pytest.raises(StorageError, match="retentionPeriod"):
        complete({"retentionPolicy": {"retentionPeriod": 0}}, {}, NOW)


def test_a_change_of_something_else_keeps_the_times():
    before = complete({"autoclass": {"enabled": True}}, {}, NOW)

    assert complete({**before, "labels": {"a": "1"}}, before, LATER) == {**before, "labels": {"a": "1"}}


def test_soft_delete_that_is_off_has_no_effective_time():
    off = complete({"softDeletePolicy": {"retentionDurationSeconds": "0"}}, PLAIN, LATER)
    on = complete({"softDeletePolicy": {"retentionDurationSeconds": 864000}}, off, LATER)

    assert off["softDeletePolicy"] == {"retentionDurationSeconds": "0"}
    assert on["softDeletePolicy"] == {"retentionDurationSeconds": "864000", "effectiveTime": AT_LATER}


@pytest.mark.parametrize("seconds", ["3600", "7776001", "-1", "soon"])
def test_soft_delete_periods_that_are_refused(seconds):
    with pytest.raises(StorageError, match="retentionDurationSeconds"):
        complete({"softDeletePolicy": {"retentionDurationSeconds": seconds}}, {}, NOW)


def test_autoclass_keeps_new_objects_in_standard_storage():
    settings = complete({"storageClass": "COLDLINE", "autoclass": {"enabled": True}}, {}, NOW)
    archived = complete(
        {**settings, "autoclass": {"enabled": True, "terminalStorageClass": "ARCHIVE"}}, settings, LATER
    )
    off = complete({**archived, "autoclass": {"enabled": False}}, archived, LATER)

    assert settings["storageClass"] == "STANDARD"
    assert settings["autoclass"] == {
        "enabled": True,
        "toggleTime": AT_NOW,
        "terminalStorageClass": "NEARLINE",
        "terminalStorageClassUpdateTime": AT_NOW,
    }
    assert archived["autoclass"] == {
        "enabled": True,
        "toggleTime": AT_NOW,
        "terminalStorageClass": "ARCHIVE",
        "terminalStorageClassUpdateTime": AT_LATER,
    }
    assert off["autoclass"] == {"enabled": False, "toggleTime": AT_LATER}


@pytest.mark.parametrize(
    ("location", "placement"),
    [("europe-north1", {"satisfiesPZI": True}), ("EU", {"rpo": "DEFAULT"}), ("EUR4", {"rpo": "DEFAULT"})],
)
def test_what_a_bucket_says_of_its_placement(client, location, placement):
    properties = client.create_bucket(f"placed-{location.lower()}", location=location)._properties

    assert {name: properties[name] for name in ("satisfiesPZI", "rpo") if name in properties} == placement


def test_a_bucket_that_is_made_anew_has_another_generation(client):
    first = client.create_bucket("made-twice")
    first.delete()
    second = client.create_bucket("made-twice")

    assert int(second._properties["generation"]) > int(first._properties["generation"]) > 10**18
