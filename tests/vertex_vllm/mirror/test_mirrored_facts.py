"""Facts of a model from the bucket that it was mirrored to."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from google.cloud.storage import Client

from vertex_vllm.errors import BucketError, PlanError
from vertex_vllm.hub.access import check_access
from vertex_vllm.hub.repository_facts import read_facts
from vertex_vllm.mirror import destination, mirror_weights
from vertex_vllm.mirror.mirrored_facts import read_mirrored_facts
from vertex_vllm.model.facts import TensorGroup


@pytest.fixture
def bucket(cloud: Any, project: str) -> str:
    return Client(project=project).create_bucket(f"mirror-{uuid.uuid4().hex[:12]}", location="us-central1").name


def test_a_mirror_has_the_facts_of_its_repo_but_what_only_the_hub_says(
    local: Any, llama: dict[str, bytes], bucket: str, project: str
) -> None:
    card = b"---\nlicense: apache-2.0\n---\n"
    model_id = local.repo({**llama, "README.md": card})
    commit = check_access(model_id, "main", None).commit
    uri = destination(bucket, model_id, commit)
    mirror_weights(model_id, commit, None, uri, project)
    on_the_hub = read_facts(model_id, commit, None)
    assert on_the_hub.license == "apache-2.0"
    assert read_mirrored_facts(uri, project) == replace(on_the_hub, license="", source=uri)


def test_a_prefix_that_somebody_else_filled_is_called_by_its_place(
    bucket: str, project: str, llama: dict[str, bytes], safetensors: Callable[..., bytes]
) -> None:
    files = {
        "config.json": llama["config.json"],
        "model.safetensors": safetensors(**{"model.embed_tokens.weight": 10, "lm_head.weight": 10}),
    }
    for path, data in files.items():
        Client(project=project).bucket(bucket).blob(f"my/model/{path}").upload_from_string(data)
    found = read_mirrored_facts(f"gs://{bucket}/my/model", project)
    assert (found.model_id, found.commit, found.source) == (f"gs://{bucket}/my/model", "", f"gs://{bucket}/my/model")
    assert found.groups == (TensorGroup("embedding", "BF16", 10, 20), TensorGroup("head", "BF16", 10, 20))


def test_a_place_without_a_model_says_what_is_missing(bucket: str, project: str) -> None:
    with pytest.raises(PlanError, match=r"^gs://.*/nothing: there are no objects"):
        read_mirrored_facts(f"gs://{bucket}/nothing", project)
    with pytest.raises(BucketError, match="does not exist"):
        read_mirrored_facts(f"gs://{bucket}-that-is-not-there/nothing", project)
    with pytest.raises(BucketError):
        read_mirrored_facts("nowhere", project)
