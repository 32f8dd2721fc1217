"""Deleting a prefix of our bucket, and of nobody else's."""

import uuid
from typing import Any

import pytest
from google.cloud import storage

from tests.vertex_vllm.served_models import REGION
from vertex_vllm.errors import TeardownError
from vertex_vllm.lifecycle.teardown import TeardownReport, teardown

OURS = {"managed-by": "vertex-vllm"}


@pytest.fixture
def client(cloud: Any, project: str) -> storage.Client:
    return storage.Client(project=project)


@pytest.fixture
def bucket(client: storage.Client) -> storage.Bucket:
    made = client.bucket(f"weights-{uuid.uuid4().hex[:12]}")
    made.labels = OURS
    return client.create_bucket(made, location=REGION)


def fill(bucket: storage.Bucket, *names: str) -> None:
    for name in names:
        bucket.blob(name).upload_from_string(b"bytes")


def names(bucket: storage.Bucket) -> list[str]:
    return sorted(blob.name for blob in bucket.list_blobs())


def test_a_prefix_goes_and_its_neighbours_stay(bucket: storage.Bucket, project: str) -> None:
    fill(bucket, "models/a/config.json", "models/a/x/model.safetensors", "models/ab/config.json", "models/a")
    prefix = f"gs://{bucket.name}/models/a"
    expected = TeardownReport(removed=(prefix,))
    assert teardown(project, REGION, "some-deployment", delete_prefix=prefix) == expected
    assert names(bucket) == ["models/a", "models/ab/config.json"]
    # Gone already is success.
    assert teardown(project, REGION, "some-deployment", delete_prefix=f"{prefix}/").removed == (f"{prefix}/",)


def test_a_bucket_without_our_label_is_left_alone_and_that_is_said(bucket: storage.Bucket, project: str) -> None:
    bucket.labels = {"team": "search"}
    bucket.patch()
    fill(bucket, "models/a/config.json")
    with pytest.raises(TeardownError, match="does not carry this project's label"):
        teardown(project, REGION, "some-deployment", delete_prefix=f"gs://{bucket.name}/models/a")
    assert names(bucket) == ["models/a/config.json"]


def test_a_bucket_that_is_gone_is_success(client: storage.Client, project: str) -> None:
    prefix = f"gs://gone-{uuid.uuid4().hex[:12]}/models/a"
    assert teardown(project, REGION, "some-deployment", delete_prefix=prefix).removed == (prefix,)


def test_an_object_that_cannot_go_does_not_keep_the_others(bucket: storage.Bucket, project: str) -> None:
    fill(bucket, "models/a/1", "models/a/2", "models/a/3")
    held = bucket.get_blob("models/a/2")
    held.temporary_hold = True
    held.patch()
    with pytest.raises(TeardownError, match=r"1 of 3 objects are still there, models/a/2: .*under active .*hold"):
        teardown(project, REGION, "some-deployment", delete_prefix=f"gs://{bucket.name}/models/a")
    assert names(bucket) == ["models/a/2"]
    held.temporary_hold = False
    held.patch()
    teardown(project, REGION, "some-deployment", delete_prefix=f"gs://{bucket.name}/models/a")
    assert names(bucket) == []
