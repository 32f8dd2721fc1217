"""The gcloud command line against the local cloud, with the exported environment and nothing else.

A command of gcloud's takes seconds, so all but one of these tests are left to `make test-all`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform
from google.cloud.devtools import cloudbuild_v1

from localcloud.daemon import Connection
from tests.accounts import classic_project
from tests.waiting import PATIENCE_SECONDS

REGION = "us-central1"
IMAGE = "us-docker.pkg.dev/own/containers/server:1"

pytestmark = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")

Gcloud = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def gcloud(cloud: Connection, project: str, tmp_path: Path) -> Gcloud:
    """Runs gcloud as in a shell after `eval "$(vertex-vllm local env)"`; its files go to the test's folder."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    own = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"), "CLOUDSDK_CORE_PROJECT": project}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["gcloud", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**kept, **cloud.environment, **own},
        )

    return run


def listed(gcloud: Gcloud, *arguments: str) -> Any:
    answer = gcloud(*arguments, "--format=json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_models_are_listed_described_and_deleted(gcloud: Gcloud, project: str) -> None:
    aiplatform.Model.upload(
        project=project, location=REGION, model_id="car", display_name="Car", serving_container_image_uri=IMAGE
    )
    (model,) = listed(gcloud, "ai", "models", "list")
    assert (model["displayName"], model["name"].rpartition("/")[2]) == ("Car", "car")
    assert listed(gcloud, "ai", "models", "describe", "car")["containerSpec"]["imageUri"] == IMAGE
    assert [version["versionId"] for version in listed(gcloud, "ai", "models", "list-version", "car")] == ["1"]
    deleted = gcloud("ai", "models", "delete", "car")
    assert deleted.returncode == 0, deleted.stderr
    assert listed(gcloud, "ai", "models", "list") == []


@pytest.mark.slow
def test_endpoints_and_their_operations_are_described_and_endpoints_deleted(gcloud: Gcloud, project: str) -> None:
    from google.cloud import aiplatform_v1

    client = aiplatform_v1.EndpointServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    parent = f"projects/{project}/locations/{REGION}"
    operation = client.create_endpoint(parent=parent, endpoint=aiplatform_v1.Endpoint(display_name="car"))
    endpoint, operation_id = operation.result().name.rpartition("/")[2], operation.operation.name.rpartition("/")[2]
    (found,) = listed(gcloud, "ai", "endpoints", "list")
    assert (found["displayName"], found["name"].rpartition("/")[2]) == ("car", endpoint)
    assert listed(gcloud, "ai", "endpoints", "describe", endpoint)["displayName"] == "car"
    assert listed(gcloud, "ai", "operations", "describe", operation_id)["done"] is True
    deleted = gcloud("ai", "endpoints", "delete", endpoint)
    assert deleted.returncode == 0, deleted.stderr
    gone = gcloud("ai", "endpoints", "describe", endpoint)
    assert gone.returncode == 1
    assert "NOT_FOUND" in gone.stderr


@pytest.mark.slow
def test_there_are_no_custom_jobs(gcloud: Gcloud) -> None:
    assert listed(gcloud, "ai", "custom-jobs", "list") == []
    for command in ("describe", "cancel"):
        missing = gcloud("ai", "custom-jobs", command, "123")
        assert missing.returncode == 1
        assert "NOT_FOUND: The CustomJob" in missing.stderr


@pytest.mark.slow
def test_storage_makes_fills_lists_reads_and_removes_a_bucket(gcloud: Gcloud, project: str, tmp_path: Path) -> None:
    bucket = f"gs://{project}-gcloud"
    (tmp_path / "text").write_bytes(b"a line\r\n\n--a line\n\x00")
    (tmp_path / "empty").touch()
    for command in (
        ("storage", "buckets", "create", bucket, f"--location={REGION}"),
        ("storage", "cp", "text", "empty", f"{bucket}/folder/"),
        ("storage", "cp", f"{bucket}/folder/text", "back"),
    ):
        answer = gcloud(*command)
        assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "back").read_bytes() == (tmp_path / "text").read_bytes()
    assert gcloud("storage", "ls", f"{bucket}/folder/").stdout.split() == [
        f"{bucket}/folder/empty",
        f"{bucket}/folder/text",
    ]
    assert listed(gcloud, "storage", "buckets", "describe", bucket)["location"] == REGION.upper()
    (tmp_path / "tree" / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "inner" / "file").write_text("x" * 1000)
    synchronised = gcloud("storage", "rsync", "--recursive", "tree", f"{bucket}/tree")
    assert synchronised.returncode == 0, synchronised.stderr
    assert gcloud("storage", "cat", f"{bucket}/tree/inner/file").stdout == "x" * 1000
    removed = gcloud("storage", "rm", "--recursive", bucket)
    assert removed.returncode == 0, removed.stderr
    assert listed(gcloud, "storage", "buckets", "list") == []
    assert gcloud("storage", "buckets", "describe", bucket).returncode == 1


@pytest.mark.slow
def test_what_the_local_cloud_does_not_play_is_refused_by_name_and_not_asked_elsewhere(gcloud: Gcloud) -> None:
    answer = gcloud("compute", "instances", "list")
    assert answer.returncode == 1
    assert "403" in answer.stderr or "no route for compute.googleapis.com" in answer.stderr


@pytest.mark.slow
def test_provenance_of_a_built_image_is_shown(gcloud: Gcloud, project: str) -> None:
    classic_project(project)
    parent = f"projects/{project}/locations/{REGION}"
    enabled = gcloud("services", "enable", "containeranalysis.googleapis.com")
    assert enabled.returncode == 0, enabled.stderr
    made = gcloud("artifacts", "repositories", "create", "images", f"--location={REGION}", "--repository-format=docker")
    assert made.returncode == 0, made.stderr
    image = f"{REGION}-docker.pkg.dev/{project}/images/steps"
    build = cloudbuild_v1.Build(steps=[{"name": "ubuntu", "args": ["true"]}], images=[f"{image}:1"])
    client = cloudbuild_v1.CloudBuildClient()
    built = client.create_build(request={"parent": parent, "build": build}).result(timeout=PATIENCE_SECONDS)
    named = f"{image}@{built.results.images[0].digest}"
    described = listed(gcloud, "artifacts", "docker", "images", "describe", named, "--show-provenance")
    (found,) = described["provenance_summary"]["provenance"]
    assert found["resourceUri"] == f"https://{named}"
    assert described["image_summary"]["slsa_build_level"] == 3
