"""Pipeline jobs in Vertex ML Metadata: their contexts are recorded; artifacts of a store are refused by name."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import aiplatform, aiplatform_v1, storage
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


def test_a_job_makes_the_default_store_and_its_contexts(job_of: Any, project: str) -> None:
    stores = f"projects/{project}/locations/{REGION}/metadataStores"
    client = aiplatform_v1.MetadataServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    with pytest.raises(exceptions.NotFound):
        client.get_metadata_store(name=f"{stores}/default")
    first, second = (job_of(samples.greetings, parameter_values={"name": "Ada"}) for _ in range(2))
    for job in (first, second):
        job.submit()
    job_ids = [job.resource_name.rpartition("/")[2] for job in (first, second)]
    pipeline, *runs = client.list_contexts(parent=f"{stores}/default")
    assert (pipeline.display_name, pipeline.schema_title) == ("greetings", "system.Pipeline")
    assert [(run.display_name, run.schema_title) for run in runs] == [(each, "system.PipelineRun") for each in job_ids]
    assert [list(run.parent_contexts) for run in runs] == [[pipeline.name]] * 2
    assert pipeline.create_time < pipeline.update_time


def test_contexts_keep_their_experiment_when_the_job_is_created_again_and_its_pipeline_runs_again(
    job_of: Any, project: str
) -> None:
    store = f"projects/{project}/locations/{REGION}/metadataStores/default"
    client = aiplatform_v1.MetadataServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    first, second = (job_of(samples.greetings, parameter_values={"name": "Ada"}) for _ in range(2))
    first.submit()
    experiment = client.create_context(
        parent=store, context={"schema_title": "system.Experiment"}, context_id="an-experiment"
    ).name
    ids = ("greetings", first.resource_name.rpartition("/")[2])
    client.add_context_children(context=experiment, child_contexts=[f"{store}/contexts/{each}" for each in ids])
    before = [client.get_context(name=f"{store}/contexts/{each}") for each in ids]

    jobs = aiplatform_v1.PipelineServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    found = jobs.get_pipeline_job(name=first.resource_name)
    same = aiplatform_v1.PipelineJob(pipeline_spec=found.pipeline_spec, runtime_config=found.runtime_config)
    with pytest.raises(exceptions.AlreadyExists):
        jobs.create_pipeline_job(
            parent=f"projects/{project}/locations/{REGION}", pipeline_job=same, pipeline_job_id=ids[1]
        )
    assert [client.get_context(name=f"{store}/contexts/{each}") for each in ids] == before

    second.submit()
    assert list(client.get_context(name=before[0].name).parent_contexts) == [experiment]


def test_a_pipeline_whose_root_takes_an_artifact_is_refused_with_the_artifact(job_of: Any, project: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=r"takes artifacts \(data\); a job here reads none"):
        job_of(takes_a_dataset).submit()
    given = job_of(takes_a_dataset, input_artifacts={"data": "1234567890"})
    with pytest.raises(exceptions.InvalidArgument, match=r"runtimeConfig\.inputArtifacts names artifacts"):
        given.submit()
    assert jobs_of(project) == []
