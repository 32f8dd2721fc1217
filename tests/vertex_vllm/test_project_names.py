"""Names that follow from a project: its default bucket, and a secret's full name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.project_names import default_bucket, secret_version_name


@pytest.mark.parametrize(
    ("project", "region", "bucket"),
    [
        ("my-project", "us-central1", "my-project-vertex-vllm-us-central1"),
        ("example.com:old", "us-central1", "example-com-old-vertex-vllm-us-central1"),
        (
            "a-project-with-a-name-this-long",
            "northamerica-northeast1",
            "a-project-with--vertex-vllm-northamerica-northeast1-0cf503",
        ),
    ],
)
def test_a_deployment_without_bucket_gets_one_named_after_project_and_region(
    project: str, region: str, bucket: str
) -> None:
    assert default_bucket(project, region) == bucket


@given(project=st.from_regex(r"[a-z][a-z0-9-]{4,60}[a-z0-9]", fullmatch=True))
def test_every_default_bucket_has_a_name_that_cloud_storage_takes(project: str) -> None:
    name = default_bucket(project, "northamerica-northeast1")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,56}[a-z0-9]", name)


@pytest.mark.parametrize(
    ("secret", "name"),
    [
        ("", ""),
        ("hf", "projects/p/secrets/hf/versions/latest"),
        ("projects/q/secrets/hf", "projects/q/secrets/hf/versions/latest"),
        ("projects/q/secrets/hf/versions/2", "projects/q/secrets/hf/versions/2"),
    ],
)
def test_a_secret_is_passed_on_by_its_full_name(secret: str, name: str) -> None:
    assert secret_version_name(secret, "p") == name
