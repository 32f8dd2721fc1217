"""Features of pipeline jobs that need Vertex ML Metadata, which the local cloud does not have: refused by name."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import aiplatform, storage
from kfp import dsl

from localcloud.daemon import Connection
from tests.accounts import classic_project
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled

REGION = "us-central1"


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def size_of(data: dsl.Input[dsl.Dataset]) -> int:
    import os

    return os.path.getsize(data.path)


@dsl.pipeline(name="takes-a-dataset")
def takes_a_dataset(data: dsl.Input[dsl.Dataset]) -> None:
    size_of(data=data)


@pytest.fixture
def job_of(cloud: Connection, project: str, tmp_path: Path) -> Any:
    classic_project(project)
    storage.Client(project=project).create_bucket(project, location=REGION)

    def make(pipeline: Any, **options: Any) -> Any:
        template = tmp_path / "pipeline.yaml"
        template.write_text(yaml.safe_dump(compiled(pipeline)))
        return aiplatform.PipelineJob(
            display_name="a job",
            template_path=str(template),
            job_id=f"job-{uuid.uuid4().hex[:12]}",
            pipeline_root=f"gs://{project}/root",
            project=project,
            location=REGION,
            **options,
        )

    return make


def jobs_of(project: str) -> list[Any]:
    return list(aiplatform.PipelineJob.list(project=project, location=REGION))


def test_a_job_of_an_experiment_is_not_submitted_and_the_missing_service_is_named(job_of: Any, project: str) -> None:
    job = job_of(samples.greetings, parameter_values={"name": "Ada"})
    with pytest.raises(RuntimeError, match="Experiment some-experiment could not be found or created") as refused:
        job.submit(experiment="some-experiment")
    cause = refused.value.__cause__
    assert isinstance(cause, exceptions.MethodNotImplemented)
    assert "MetadataService" in cause.message
    assert jobs_of(project) == []


def test_a_pipeline_whose_root_takes_an_artifact_is_refused_with_the_artifact(job_of: Any, project: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=r"takes artifacts \(data\); the local cloud has no metadata"):
        job_of(takes_a_dataset).submit()
    given = job_of(takes_a_dataset, input_artifacts={"data": "1234567890"})
    with pytest.raises(exceptions.InvalidArgument, match=r"runtimeConfig\.inputArtifacts names artifacts"):
        given.submit()
    assert jobs_of(project) == []
