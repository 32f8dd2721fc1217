"""A Cloud Storage client with an empty bucket, and a bucket with inputs for pipelines, for other people's programs."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.daemon import Connection
from tests.accounts import classic_project
from tests.waiting import wait_until

PROJECT, REGION = "strangers-project", "us-central1"


@pytest.fixture
def client(cloud: Connection, project: str) -> Any:
    storage = pytest.importorskip("google.cloud.storage", reason="google-cloud-storage is not installed")
    return storage.Client(project=project)


@pytest.fixture
def bucket(client: Any) -> Any:
    return client.create_bucket(f"strangers-{uuid.uuid4().hex[:12]}", location=REGION)


@pytest.fixture(scope="module")
def pipeline_bucket(cloud: Connection) -> Any:
    """A bucket with objects that pipelines import."""
    storage = pytest.importorskip("google.cloud.storage", reason="google-cloud-storage is not installed")
    classic_project(PROJECT)
    made = storage.Client(project=PROJECT).create_bucket(f"strangers-{uuid.uuid4().hex[:12]}", location=REGION)
    made.blob("given/data.txt").upload_from_string("imported")
    for name in ("one", "two"):
        made.blob(f"given/model/{name}").upload_from_string(name)
    return made


class Ended:
    """A job that has ended: outputs and states of its tasks, by unique name."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.state = message.state.name.removeprefix("PIPELINE_STATE_")
        self.tasks = {detail.task_unique_name: detail for detail in message.job_detail.task_details}

    def output(self, task: str, key: str = "Output") -> Any:
        return dict(self.tasks[task].execution.metadata)[f"output:{key}"]

    def outputs_of(self, pattern: str) -> list[Any]:
        return sorted(self.output(name) for name in self.tasks if re.fullmatch(pattern, name))


@pytest.fixture
def ended(pipeline_bucket: Any, tmp_path: Path) -> Callable[..., Ended]:
    aiplatform = pytest.importorskip("google.cloud.aiplatform", reason="google-cloud-aiplatform is not installed")
    pytest.importorskip("kfp", reason="kfp is not installed")
    from tests.localcloud.services.pipelines.compiling import compiled

    def run(pipeline: Any, *, succeeds: bool = True, **parameters: Any) -> Ended:
        spec = tmp_path / "pipeline.yaml"
        spec.write_text(yaml.safe_dump(compiled(pipeline)))
        job = aiplatform.PipelineJob(
            display_name="a feature",
            template_path=str(spec),
            job_id=f"feature-{uuid.uuid4().hex[:12]}",
            pipeline_root=f"gs://{pipeline_bucket.name}/runs",
            parameter_values=parameters,
            project=PROJECT,
            location=REGION,
        )
        job.submit()
        wait_until(job.done)
        found = Ended(job.gca_resource)
        assert (found.state == "SUCCEEDED") == succeeds, found.message.error.message
        return found

    return run
