"""The local Kubeflow Pipelines as `kfp.Client` sees it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform, storage
from kfp import Client, dsl
from kfp_server_api import ApiException

from localcloud.daemon import Connection
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled, compiled_with_init
from tests.waiting import PATIENCE_SECONDS

REGION = "us-central1"


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def tell(name: str, run_id: str, workflow: str, path: str) -> None:
    import json
    import os
    from pathlib import Path

    told = [name, run_id, workflow, os.environ.get("CLOUD_ML_JOB_ID", "")]
    Path(path).write_text(json.dumps(told))


@dsl.pipeline(name="names")
def names(path: str) -> None:
    tell(
        name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        workflow=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        path=path,
    )


@pytest.fixture
def client(cloud: Connection) -> Client:
    return Client()


@pytest.fixture
def start(client: Client, project: str, tmp_path: Path) -> Callable[..., Any]:
    bucket = storage.Client(project=project).create_bucket(f"{project}-kfp", location=REGION)

    def start(pipeline: Any, run_name: str = "a run", **arguments: Any) -> Any:
        spec = tmp_path / "spec.yaml"
        spec.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
        return client.create_run_from_pipeline_package(
            str(spec),
            arguments=arguments,
            run_name=run_name,
            experiment_name=project,
            pipeline_root=f"gs://{bucket.name}",
        )

    return start


def test_placeholders_stand_for_what_they_do_in_kubeflow(
    client: Client, start: Callable[..., Any], tmp_path: Path
) -> None:
    started = start(names, "The first: run", path=str(tmp_path / "told.json"))
    run = client.wait_for_run_completion(started.run_id, timeout=PATIENCE_SECONDS, sleep_duration=1)
    assert run.state == "SUCCEEDED", run.error
    name, run_id, workflow, job_id = json.loads((tmp_path / "told.json").read_text())
    assert (name, run_id) == ("The first: run", started.run_id)
    assert started.run_id in workflow
    # The step gets no variable of Vertex AI either.
    assert job_id == ""


def test_runs_and_experiments_are_found(
    client: Client, start: Callable[..., Any], cloud: Connection, project: str
) -> None:
    first, second = (start(samples.greetings, name, name="you").run_id for name in ("first", "second"))
    experiment = client.get_experiment(experiment_name=project)
    listed = client.list_runs(experiment_id=experiment.experiment_id)
    assert [(run.run_id, run.display_name) for run in listed.runs] == [(second, "second"), (first, "first")]
    page = client.list_runs(experiment_id=experiment.experiment_id, page_size=1)
    assert [run.run_id for run in page.runs] == [second]
    more = client.list_runs(experiment_id=experiment.experiment_id, page_token=page.next_page_token)
    assert [run.run_id for run in more.runs] == [first]
    ended = client.wait_for_run_completion(first, timeout=PATIENCE_SECONDS, sleep_duration=1)
    states = {task.display_name: task.state for task in ended.run_details.task_details}
    assert states == {"root": "SUCCEEDED", "write-greeting": "SUCCEEDED", "read-greeting": "SUCCEEDED"}
    client.delete_run(first)
    with pytest.raises(ApiException, match="404"):
        client.get_run(first)
    jobs = aiplatform.PipelineJob.list(project=cloud.project, location=REGION)
    assert not [job for job in jobs if second in job.resource_name]


def test_a_run_that_is_terminated_ends_as_canceled(client: Client, start: Callable[..., Any], tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    started = start(samples.waiting, path=str(tmp_path / "started"), status_path=str(status))
    client.terminate_run(started.run_id)
    while client.get_run(started.run_id).state not in ("CANCELED", "FAILED", "SUCCEEDED"):
        pass
    assert client.get_run(started.run_id).state == "CANCELED"


def test_what_it_cannot_run_is_refused(client: Client, start: Callable[..., Any], tmp_path: Path, project: str) -> None:
    spec = tmp_path / "other.yaml"
    spec.write_text(yaml.safe_dump(compiled(samples.greetings)))
    with pytest.raises(ApiException, match="no object store"):
        client.create_run_from_pipeline_package(str(spec), arguments={"name": "x"}, experiment_name=project)
    with pytest.raises(ApiException, match="not a parameter of the pipeline"):
        start(samples.greetings, unknown="x")
    with pytest.raises(ApiException, match="not found"):
        client.get_run("no-such-run")


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def path_of(path: str) -> str:
    return path


@dsl.pipeline(name="workspace", pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
def workspace() -> None:
    path_of(path=dsl.WORKSPACE_PATH_PLACEHOLDER)


def secret_of_kubernetes(spec: Path) -> None:
    """As kfp-kubernetes' `use_secret_as_env` compiles."""
    secret = {"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "E"}], "optional": False}
    options = {"deploymentSpec": {"executors": {"exec-path-of": {"secretAsEnv": [secret], "tolerations": [{}]}}}}
    first = spec.read_text().split("---")[0]
    spec.write_text(f"{first}---\n{yaml.safe_dump({'platforms': {'kubernetes': options}})}")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda spec: None, "platform options: kubernetes.pipelineConfig.workspace"),
        (secret_of_kubernetes, "kubernetes.exec-path-of.secretAsEnv, kubernetes.exec-path-of.tolerations"),
    ],
)
def test_options_of_a_platform_are_refused_by_name(
    client: Client, tmp_path: Path, project: str, change: Callable[[Path], None], named: str
) -> None:
    from kfp import compiler

    spec = tmp_path / "spec.yaml"
    compiler.Compiler().compile(workspace, str(spec))
    change(spec)
    with pytest.raises(ApiException, match=named) as refused:
        client.create_run_from_pipeline_package(str(spec), experiment_name=project, pipeline_root="gs://any/root")
    assert refused.value.status == 501


@pytest.mark.parametrize(
    ("call", "method"),
    [
        (lambda client, spec: client.upload_pipeline(spec, pipeline_name="x"), "PipelineUploadService.UploadPipeline"),
        (
            lambda client, spec: client.upload_pipeline_version(spec, "v", pipeline_id="p"),
            "PipelineUploadService.UploadPipelineVersion",
        ),
        (lambda client, spec: client.list_pipelines(), "PipelineService.ListPipelines"),
        (lambda client, spec: client.get_pipeline("p"), "PipelineService.GetPipeline"),
        (lambda client, spec: client.list_pipeline_versions("p"), "PipelineService.ListPipelineVersions"),
        (lambda client, spec: client.delete_pipeline_version("p", "v"), "PipelineService.DeletePipelineVersion"),
        (lambda client, spec: client.list_recurring_runs(), "RecurringRunService.ListRecurringRuns"),
        (
            lambda client, spec: client.create_recurring_run(
                "e", "job", cron_expression="0 0 * * *", pipeline_package_path=spec
            ),
            "RecurringRunService.CreateRecurringRun",
        ),
        (lambda client, spec: client.disable_recurring_run("r"), "RecurringRunService.DisableRecurringRun"),
        (lambda client, spec: client.archive_run("r"), "RunService.ArchiveRun"),
        (lambda client, spec: client.archive_experiment("e"), "ExperimentService.ArchiveExperiment"),
        (lambda client, spec: client.delete_experiment("e"), "ExperimentService.DeleteExperiment"),
    ],
)  # fmt: skip
def test_a_method_that_is_not_there_is_refused_by_its_name(
    client: Client, tmp_path: Path, call: Callable[[Client, str], Any], method: str
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump(compiled(samples.greetings)))
    with pytest.raises(ApiException) as refused:
        call(client, str(spec))
    assert refused.value.status == 501
    assert f"does not support {method}." in refused.value.body


def test_lists_are_sorted_and_filtered_as_asked(client: Client, project: str) -> None:
    made = [client.create_experiment(f"{project}-{name}").experiment_id for name in "ba"]
    found = client.list_experiments(sort_by="display_name desc").experiments
    assert [each.experiment_id for each in found if each.experiment_id in made] == made
    with pytest.raises(ApiException, match="is not supported"):
        client.list_experiments(sort_by="storage_state")
