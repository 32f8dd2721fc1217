"""Settings under which a bucket cannot hold weights: refused before anything is written."""

from dataclasses import replace
from typing import Any

import pytest

from vertex_vllm.errors import BucketError
from vertex_vllm.google.bucket_settings import BucketSettings, check_fit

FIT = BucketSettings()


def rule(action: str, **condition: Any) -> dict[str, Any]:
    return {"action": {"type": action}, "condition": condition}


def to_class(name: str, **condition: Any) -> dict[str, Any]:
    return {"action": {"type": "SetStorageClass", "storageClass": name}, "condition": condition}


UNFIT: dict[str, tuple[BucketSettings, str, str]] = {
    "a default hold": (
        replace(FIT, default_event_based_hold=True),
        "every new object gets an event-based hold",
        "gs://weights --no-default-event-based-hold",
    ),
    "retention": (
        replace(FIT, retention_seconds=86400),
        "its retention policy keeps objects for 86400 s",
        "gs://weights --clear-retention-period",
    ),
    "locked retention": (
        replace(FIT, retention_seconds=60, retention_locked=True),
        "its locked retention policy keeps objects for 60 s",
        "A locked policy cannot be removed",
    ),
    "requester pays": (replace(FIT, requester_pays=True), "requesters pay", "--no-requester-pays"),
    "objects deleted by age": (
        replace(FIT, lifecycle=(rule("Delete", age=30),)),
        "a lifecycle rule deletes objects after 30 days",
        "--lifecycle-file",
    ),
    "objects deleted at once": (
        replace(FIT, lifecycle=(rule("Delete", isLive=True),)),
        "deletes objects that meet {'isLive': True}",
        "--lifecycle-file",
    ),
    "objects of the prefix": (replace(FIT, lifecycle=(rule("Delete", age=3, matchesPrefix=["mod"]),)), "deletes", ""),
    "objects below the prefix": (
        replace(FIT, lifecycle=(rule("Delete", age=3, matchesPrefix=["models/meta-llama/"]),)),
        "deletes",
        "",
    ),
    "weights by their ending": (
        replace(FIT, lifecycle=(rule("Delete", age=3, matchesSuffix=["tensors"]),)),
        "deletes",
        "",
    ),
    "a date to come": (replace(FIT, lifecycle=(rule("Delete", createdBefore="2999-01-01"),)), "deletes", ""),
    "a class that another rule gives": (
        replace(FIT, lifecycle=(to_class("ARCHIVE", age=3), rule("Delete", age=9, matchesStorageClass=["ARCHIVE"]))),
        "deletes objects after 9 days",
        "--lifecycle-file",
    ),
    "uploads ended at once": (
        replace(FIT, lifecycle=(rule("AbortIncompleteMultipartUpload", age=0),)),
        "ends uploads on their first day",
        "",
    ),
}
HARMLESS: dict[str, BucketSettings] = {
    "nothing": FIT,
    "uploads ended after a week": replace(FIT, lifecycle=(rule("AbortIncompleteMultipartUpload", age=7),)),
    "another prefix": replace(FIT, lifecycle=(rule("Delete", age=3, matchesPrefix=["tmp/", "logs/"]),)),
    "another ending": replace(FIT, lifecycle=(rule("Delete", age=3, matchesSuffix=[".tmp"]),)),
    "noncurrent versions": replace(FIT, lifecycle=(rule("Delete", age=3, isLive=False),)),
    "older versions": replace(FIT, lifecycle=(rule("Delete", numNewerVersions=2),)),
    "noncurrent for days": replace(FIT, lifecycle=(rule("Delete", daysSinceNoncurrentTime=2),)),
    "custom times": replace(FIT, lifecycle=(rule("Delete", daysSinceCustomTime=2),)),
    "another class": replace(FIT, lifecycle=(rule("Delete", age=3, matchesStorageClass=["ARCHIVE"]),)),
    "a date that is past": replace(FIT, lifecycle=(rule("Delete", createdBefore="2020-01-01"),)),
    "another class later": replace(FIT, lifecycle=(rule("SetStorageClass", age=3),)),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_bucket_that_cannot_hold_a_mirror(name: str) -> None:
    settings, fault, fix = UNFIT[name]
    with pytest.raises(BucketError) as raised:
        check_fit(settings, "weights")
    assert raised.value.where == "gs://weights"
    assert raised.value.message.startswith("cannot hold a mirror: ")
    assert fault in raised.value.message
    assert "Name another bucket" in raised.value.fix
    assert fix in raised.value.fix


@pytest.mark.parametrize("name", HARMLESS)
def test_a_bucket_that_can(name: str) -> None:
    check_fit(HARMLESS[name], "weights")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(BucketError) as raised:
        check_fit(replace(FIT, default_event_based_hold=True, retention_seconds=60), "weights")
    assert raised.value.message.count("; ") == 1


def test_the_prefix_decides() -> None:
    settings = replace(FIT, lifecycle=(rule("Delete", age=3, matchesPrefix=["own/"]),))
    check_fit(settings, "weights", ("models/",))
    with pytest.raises(BucketError):
        check_fit(settings, "weights", ("own/prefix/",))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (FIT, ()),
        (replace(FIT, storage_class="ARCHIVE"), ("objects are of the class ARCHIVE",)),
        (replace(FIT, lifecycle=(to_class("COLDLINE", age=3),)), ("a lifecycle rule moves objects to COLDLINE",)),
        (replace(FIT, lifecycle=(to_class("COLDLINE", age=3, matchesPrefix=["tmp/"]),)), ()),
        (replace(FIT, keeps_versions=True), ("the bucket keeps versions",)),
        (replace(FIT, keeps_versions=True, lifecycle=(rule("Delete", daysSinceNoncurrentTime=2),)), ()),
    ],
)
def test_settings_that_cost_are_told_and_refuse_nothing(
    settings: BucketSettings, said: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    check_fit(settings, "weights")
    assert len(caplog.messages) == len(said)
    for message, words in zip(caplog.messages, said, strict=True):
        assert message.startswith(f"gs://weights: {words}")
