"""Jobs and schedules of pipelines, made with Google's own client."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import storage

from localcloud import daemon
from localcloud.daemon import Connection
from tests.accounts import classic_project
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.localcloud.services.pipelines.finished_jobs import REGION
from tests.localcloud.services.pipelines.schedule_clock import hourly


@pytest.fixture(scope="module")
def aiplatform(cloud: daemon.Connection) -> Any:
    from google.cloud import aiplatform

    classic_project("pipelines-project")
    aiplatform.init(project="pipelines-project", location=REGION)
    return aiplatform


@pytest.fixture(scope="module")
def bucket(cloud: daemon.Connection) -> str:
    name = f"pipelines-{uuid.uuid4().hex[:12]}"
    classic_project("pipelines-project")
    storage.Client(project="pipelines-project").create_bucket(name, location=REGION)
    return name


@pytest.fixture
def job_of(aiplatform: Any, bucket: str, tmp_path: Path) -> Callable[..., Any]:
    def make(pipeline: Any, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
        template = tmp_path / "pipeline.yaml"
        template.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
        return aiplatform.PipelineJob(
            display_name=options.pop("display_name", "a job"),
            template_path=str(template),
            job_id=options.pop("job_id", f"job-{uuid.uuid4().hex[:12]}"),
            pipeline_root=f"gs://{bucket}/runs",
            parameter_values=parameters or {},
            **options,
        )

    return make


def written(pipeline: Any, path: Path) -> Path:
    path.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
    return path


@pytest.fixture
def schedule_bucket(project: str) -> str:
    name = f"schedules-{uuid.uuid4().hex[:12]}"
    classic_project(project)
    storage.Client(project=project).create_bucket(name, location=REGION)
    return name


@pytest.fixture
def create_schedule(
    cloud: Connection, project: str, schedule_bucket: str, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Makes schedules of a pipeline that prints its scheduled time, and removes them after the test."""
    from google.cloud import aiplatform

    made = []

    def create(pipeline: Any = samples.timed, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
        job = aiplatform.PipelineJob(
            display_name="a job",
            template_path=str(written(pipeline, tmp_path / "pipeline.yaml")),
            pipeline_root=f"gs://{schedule_bucket}/runs",
            parameter_values=parameters or {},
            labels={"team": "blue"},
            project=project,
            location=REGION,
        )
        schedule = job.create_schedule(**{"cron": hourly(cloud.state_dir), "display_name": "hourly"} | options)
        made.append(schedule)
        return schedule

    yield create
    for schedule in made:
        with suppress(exceptions.NotFound):
            schedule.delete()
