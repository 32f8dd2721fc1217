"""Buckets that keep every object: an error before the first byte, or a warning if the settings cannot be read."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.mirror.conftest import SMALL_STEPS, SharedModel
from vertex_vllm.errors import BucketError
from vertex_vllm.google.deployment_bucket import setup_bucket
from vertex_vllm.labels import Owner
from vertex_vllm.mirror import compare, mirror_weights

ACCOUNT = "serving@some-project.iam.gserviceaccount.com"


def mirror(model: SharedModel, place: str, project: str) -> None:
    mirror_weights(model.id, model.commit, None, place, project, transfer=SMALL_STEPS)


def hold(model: SharedModel) -> None:
    bucket = model.client.get_bucket(model.bucket)
    bucket.default_event_based_hold = True
    bucket.patch()


def retain(model: SharedModel) -> None:
    bucket = model.client.get_bucket(model.bucket)
    bucket.retention_period = 86400
    bucket.patch()


@pytest.mark.parametrize(
    ("make", "words"), [(hold, "--no-default-event-based-hold"), (retain, "--clear-retention-period")]
)
def test_nothing_is_written_to_a_bucket_that_keeps_everything(
    make: Any, words: str, shared_model: SharedModel, project: str
) -> None:
    make(shared_model)
    place = shared_model.place()
    for tried in (
        lambda: mirror(shared_model, place, project),
        lambda: compare(shared_model.id, shared_model.commit, None, place, project),
        lambda: setup_bucket(
            project, "us-central1", shared_model.bucket, Owner("d", "run"), "a@b.iam.gserviceaccount.com"
        ),
    ):
        with pytest.raises(BucketError, match=words):
            tried()
    assert list(shared_model.client.list_blobs(shared_model.bucket, versions=True)) == []


def test_a_finished_mirror_in_such_a_bucket_is_found(shared_model: SharedModel, project: str) -> None:
    place = shared_model.place()
    mirror(shared_model, place, project)
    retain(shared_model)
    mirror(shared_model, place, project)
    shared_model.assert_published(place)


def softly_deleting(model: SharedModel) -> SharedModel:
    bucket = model.client.get_bucket(model.bucket)
    bucket.soft_delete_policy.retention_duration_seconds = 7 * 86400
    bucket.patch()
    return model


def with_versions(model: SharedModel) -> SharedModel:
    bucket = model.client.get_bucket(model.bucket)
    bucket.versioning_enabled = True
    bucket.patch()
    return model


def with_object_retention(model: SharedModel) -> SharedModel:
    made = model.client.create_bucket(f"{model.bucket}-lock", location="us-central1", enable_object_retention=True)
    return replace(model, bucket=made.name)


@pytest.mark.parametrize(
    ("make", "kept"),
    [
        (softly_deleting, {"soft_deleted": True}),
        pytest.param(with_versions, {"versions": True}, marks=pytest.mark.slow),
        pytest.param(with_object_retention, {"versions": True}, marks=pytest.mark.slow),
    ],
)
def test_a_bucket_that_only_keeps_what_is_deleted_holds_a_mirror(
    make: Any, kept: dict[str, bool], shared_model: SharedModel, project: str
) -> None:
    model = make(shared_model)
    place = model.place()
    mirror(model, place, project)
    model.assert_published(place)
    journals = [blob.name for blob in model.client.list_blobs(model.bucket, prefix=".vertex-vllm/", **kept)]
    assert bool(journals) == (make is not with_object_retention)


@pytest.mark.parametrize("make", [hold, pytest.param(retain, marks=pytest.mark.slow)])
def test_who_may_not_see_the_settings_finishes_and_hears_what_stays(
    make: Any,
    shared_model: SharedModel,
    project: str,
    faulty: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make(shared_model)
    faulty.add_fault(
        kind="error",
        service="storage",
        method="GET",
        path=f"/storage/v1/b/{shared_model.bucket}",
        status=403,
        times=None,
    )
    place = shared_model.place()
    mirror(shared_model, place, project)
    faulty.clear_faults()
    left = [blob.name for blob in shared_model.client.list_blobs(shared_model.bucket, prefix=".vertex-vllm/")]
    assert len(left) == 3
    assert all(f"{name} stays: " in caplog.text for name in left)
    arrived = shared_model.objects(place)
    assert {path: arrived[path] for path in shared_model.files} == shared_model.files
    mirror(shared_model, place, project)
