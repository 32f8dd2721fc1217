"""Publishing with the real clients of registry and storage, and a run of a published spec."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from google.cloud import artifactregistry_v1, storage
from google.cloud.artifactregistry_v1.types import Repository

from localcloud.daemon import Connection
from pipelines.compile import PIPELINES, compile_pipeline
from vertex_vllm.errors import InputError
from vertex_vllm.project_names import IMAGES_REPOSITORY, TEMPLATES_REPOSITORY, runs_bucket
from vertex_vllm.publishing.image_digest import pinned, tag_name
from vertex_vllm.publishing.templates import Destination, publish
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.usefixtures("working")

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-central1"
COMMIT = "4f" * 20
DIGEST = "sha256:" + "5e" * 32
IMAGE = f"us-central1-docker.pkg.dev/p/vertex-vllm/python-steps@{DIGEST}"


@pytest.fixture
def destination(project: str) -> Destination:
    """A project as it is after its set-up."""
    client = artifactregistry_v1.ArtifactRegistryClient()
    for name, kind in (
        (IMAGES_REPOSITORY, Repository.Format.DOCKER),
        (TEMPLATES_REPOSITORY, Repository.Format.KFP),
    ):
        client.create_repository(
            parent=f"projects/{project}/locations/{REGION}", repository_id=name, repository=Repository(format_=kind)
        ).result()
    bucket = storage.Client(project=project).create_bucket(runs_bucket(project, REGION), location=REGION)
    return Destination(project, REGION, TEMPLATES_REPOSITORY, bucket.name, COMMIT)


def push_image(cloud: Connection, project: str, tag: str) -> None:
    repository = f"projects/{project}/locations/{REGION}/repositories/{IMAGES_REPOSITORY}"
    image = {"repository": repository, "image": "team/python-steps", "tag": tag, "digest": DIGEST}
    cloud.admin("PUT", "/_local/images", image)


def test_a_tag_becomes_the_digest_that_it_points_at(cloud: Connection, destination: Destination, project: str) -> None:
    push_image(cloud, project, "0.1.0")
    image = f"{REGION}-docker.pkg.dev/{project}/{IMAGES_REPOSITORY}/team/python-steps"
    assert pinned(f"{image}:0.1.0") == pinned(f"{image}@{DIGEST}") == f"{image}@{DIGEST}"
    with pytest.raises(InputError, match="no such image"):
        pinned(image)


@pytest.mark.parametrize("image", ["python-steps", "docker.io/library/python:3.11", "image@sha256:123", ""])
def test_an_image_that_nothing_pins_is_refused(image: str) -> None:
    with pytest.raises(InputError, match="not pinned by digest"):
        pinned(image)


def test_a_tag_has_a_name_in_artifact_registry() -> None:
    assert tag_name("europe-west4-docker.pkg.dev/p/r/team/image") == (
        "projects/p/locations/europe-west4/repositories/r/packages/team%2Fimage/tags/latest"
    )


def test_publishing_twice_gives_the_same_addresses(destination: Destination) -> None:
    specs = {name: compile_pipeline(name, IMAGE) for name in PIPELINES}
    published = publish(specs, destination)
    assert publish(specs, destination) == published
    assert [template.pipeline for template in published] == list(PIPELINES)
    client = storage.Client(project=destination.project)
    for template in published:
        assert re.fullmatch(rf"{destination.host}/{template.pipeline}/sha256:[0-9a-f]{{64}}", template.address)
        assert template.uri == f"gs://{destination.bucket}/specs/{COMMIT}/{template.pipeline}.yaml"
        blob = client.bucket(destination.bucket).blob(f"specs/{COMMIT}/{template.pipeline}.yaml")
        assert blob.download_as_text() == specs[template.pipeline]


def test_a_commit_keeps_its_specs(destination: Destination) -> None:
    publish({"teardown": compile_pipeline("teardown", IMAGE)}, destination)
    with pytest.raises(InputError, match="another spec already"):
        publish({"teardown": compile_pipeline("teardown", IMAGE.replace("5e", "6f"))}, destination)


def test_what_is_missing_is_said_with_the_command_that_makes_it(project: str) -> None:
    destination = Destination(project, REGION, TEMPLATES_REPOSITORY, runs_bucket(project, REGION), COMMIT)
    spec = {"teardown": compile_pipeline("teardown", IMAGE)}
    with pytest.raises(InputError, match="gcloud storage buckets create"):
        publish(spec, destination)
    storage.Client(project=project).create_bucket(destination.bucket, location=REGION)
    with pytest.raises(InputError, match="gcloud artifacts repositories create"):
        publish(spec, destination)


def test_a_run_starts_from_the_address_in_the_registry(destination: Destination) -> None:
    from google.cloud import aiplatform

    (template,) = publish({"teardown": compile_pipeline("teardown", IMAGE)}, destination)
    job = aiplatform.PipelineJob(
        display_name="from the registry",
        template_path=template.address,
        job_id=f"teardown-{uuid.uuid4().hex[:8]}",
        pipeline_root=f"gs://{destination.bucket}",
        parameter_values={"project": destination.project, "deployment": "nothing-there"},
        project=destination.project,
        location=REGION,
    )
    job.submit()
    assert VertexEngine().watch(job.resource_name, lambda run: None).state == "SUCCEEDED"
    assert job.gca_resource.template_uri == template.address


def test_the_commands_of_the_page_work(cloud: Connection, destination: Destination, project: str) -> None:
    push_image(cloud, project, "0.1.0")
    (command,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "publish.md").read_text(), re.DOTALL)
    command = command.replace("PROJECT", project).replace("COMMIT", COMMIT)
    command = command.replace("python-steps:", "team/python-steps:")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    answer = subprocess.run(
        ["bash", "-ec", command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stderr
    rows = [line.split("\t") for line in answer.stdout.splitlines()]
    assert [pipeline for pipeline, _, _ in rows] == list(PIPELINES)
    assert DIGEST in answer.stderr
    client = storage.Client(project=project)
    for _, address, uri in rows:
        assert address.startswith(destination.host)
        assert DIGEST in storage.Blob.from_uri(uri, client=client).download_as_text()
