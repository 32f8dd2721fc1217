"""The deployment's bucket, set up by the real client."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.cloud.storage import Bucket, Client

from vertex_vllm.errors import BucketError
from vertex_vllm.google.deployment_bucket import READER, check_bucket_name, setup_bucket
from vertex_vllm.google.iam import grant_on_bucket
from vertex_vllm.labels import Owner

pytestmark = pytest.mark.usefixtures("working")

REGION = "us-central1"
OWNER = Owner("smollm2", "run-1")
ACCOUNT = "serving@some-project.iam.gserviceaccount.com"


@pytest.fixture
def bucket(cloud: Any) -> str:
    return f"bucket-{uuid.uuid4().hex[:12]}"


def readers(bucket: Bucket) -> set[str]:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    return {member for binding in policy.bindings if binding["role"] == READER for member in binding["members"]}


def test_a_new_bucket_is_as_it_should_be(bucket: str, project: str) -> None:
    assert setup_bucket(project, REGION, bucket, OWNER, ACCOUNT) == f"gs://{bucket}"
    made = Client(project=project).get_bucket(bucket)
    assert made.location == "US-CENTRAL1"
    assert made.labels == OWNER.labels
    assert made.iam_configuration.uniform_bucket_level_access_enabled
    assert made.iam_configuration.public_access_prevention == "enforced"
    # Weights can be mirrored again: deleted ones need not be kept, and billed, for another week.
    assert made.soft_delete_policy.retention_duration_seconds == 0
    assert list(made.lifecycle_rules) == [
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}
    ]
    assert readers(made) == {f"serviceAccount:{ACCOUNT}"}


def test_no_account_means_the_one_that_bootstrap_creates(bucket: str, ready_project: str, project: str) -> None:
    setup_bucket(project, REGION, bucket, OWNER, "")
    made = Client(project=project).get_bucket(bucket)
    assert readers(made) == {f"serviceAccount:vertex-vllm-serving@{project}.iam.gserviceaccount.com"}


def test_a_second_run_changes_nothing(bucket: str, project: str) -> None:
    setup_bucket(project, REGION, bucket, OWNER, ACCOUNT)
    before = Client(project=project).get_bucket(bucket)
    etag = before.get_iam_policy(requested_policy_version=3).etag
    setup_bucket(project, REGION, bucket, Owner("smollm2", "run-2"), ACCOUNT)
    after = Client(project=project).get_bucket(bucket)
    assert (after.metageneration, after.labels) == (before.metageneration, before.labels)
    assert after.get_iam_policy(requested_policy_version=3).etag == etag


def test_a_bucket_of_ours_keeps_its_settings(bucket: str, project: str) -> None:
    made = Client(project=project).create_bucket(bucket, location=REGION)
    setup_bucket(project, REGION, bucket, OWNER, ACCOUNT)
    assert Client(project=project).get_bucket(bucket).labels == {}
    assert f"serviceAccount:{ACCOUNT}" in readers(made)


@pytest.mark.parametrize("location", ["europe-west4", "US"])
def test_a_bucket_elsewhere(bucket: str, project: str, location: str) -> None:
    made = Client(project=project).create_bucket(bucket, location=location)
    with pytest.raises(BucketError) as raised:
        setup_bucket(project, REGION, bucket, OWNER, ACCOUNT)
    assert f"the bucket is in {location.lower()}, the deployment in us-central1" in str(raised.value)
    assert readers(made) == set()


def test_a_bucket_that_we_may_not_look_at(faulty: Any, bucket: str, project: str) -> None:
    """Cloud Storage gives the same answer for a bucket of another project, with its own reason."""
    path = f"/storage/v1/b/{bucket}"
    faulty.add_fault(service="storage", method="GET", path=path, kind="error", status=403, message="ask Ann", times=1)
    with pytest.raises(BucketError, match=r"another project's, or we lack storage\.buckets\.get on it: .*ask Ann"):
        setup_bucket(project, REGION, bucket, OWNER, ACCOUNT)


def test_a_bucket_of_another_project(bucket: str, project: str) -> None:
    made = Client(project=f"{project}-other").create_bucket(bucket, location=REGION)
    with pytest.raises(BucketError, match=f"not of project {project}: .*number {made.project_number}"):
        setup_bucket(project, REGION, bucket, OWNER, ACCOUNT)
    assert readers(made) == set()


def test_runs_that_start_at_once_make_one_bucket(bucket: str, project: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(setup_bucket, project, REGION, bucket, OWNER, f"run-{n}@p.x") for n in range(4)]
        assert {run.result() for run in runs} == {f"gs://{bucket}"}
    assert readers(Client(project=project).get_bucket(bucket)) == {f"serviceAccount:run-{n}@p.x" for n in range(4)}


def test_a_grant_keeps_the_conditions_of_others(bucket: str, project: str) -> None:
    made = Client(project=project).create_bucket(bucket, location=REGION)
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    made.patch()
    until = {"title": "until", "expression": 'request.time < timestamp("2030-01-01T00:00:00Z")', "description": ""}
    policy = made.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    policy.bindings.append({"role": READER, "members": {"user:guest@example.com"}, "condition": until})
    made.set_iam_policy(policy)

    assert grant_on_bucket(made, READER, "user:guest@example.com") is True
    assert grant_on_bucket(made, READER, "user:guest@example.com") is False
    found = [entry for entry in made.get_iam_policy(requested_policy_version=3).bindings if entry["role"] == READER]
    assert sorted("condition" in entry for entry in found) == [False, True]


@pytest.mark.parametrize("name", ["abc", "a-b_c", "my.company.models", "0ab", "a" * 63])
def test_bucket_names(name: str) -> None:
    assert check_bucket_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "ab", "A-bucket", "-ab", "ab-", "a" * 64, "a b c", "a/b", "192.168.5.4"),
        *("goog-models", "my-google-models", "my-g00gle-models", "a..b", "a.-b", f"{'a' * 64}.b", "gs://abc", "ab\n"),
    ],
)
def test_what_is_no_bucket_name_costs_no_call(name: str) -> None:
    with pytest.raises(BucketError, match="naming"):
        setup_bucket("some-project", REGION, name, OWNER, ACCOUNT)
