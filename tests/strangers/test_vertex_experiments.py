"""Vertex Experiments, as a data scientist's notebook uses them: google-cloud-aiplatform as it is."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import aiplatform

from localcloud.daemon import Connection
from tests.strangers.conftest import Ended
from tests.waiting import wait_until

REGION = "us-central1"


@pytest.fixture
def experiment(cloud: Connection, project: str) -> Iterator[str]:
    aiplatform.init(project=project, location=REGION, experiment="my-experiment", experiment_tensorboard=False)
    yield "my-experiment"
    aiplatform.init(project=project, location=REGION)


def test_runs_are_started_logged_compared_and_deleted(experiment: str) -> None:
    for run, score in (("run-1", 0.5), ("run-2", 0.75)):
        with aiplatform.start_run(run):
            aiplatform.log_params({"learning_rate": 0.1, "model": "small"})
            aiplatform.log_metrics({"accuracy": score})
    again = aiplatform.ExperimentRun("run-2", experiment=experiment)
    again.log_metrics({"loss": 1.5})

    found = aiplatform.ExperimentRun.get("run-2", experiment=experiment)
    assert found is not None
    assert found.get_params() == {"learning_rate": 0.1, "model": "small"}
    assert (found.get_metrics(), found.get_state()) == ({"accuracy": 0.75, "loss": 1.5}, "COMPLETE")
    assert sorted(each.name for each in aiplatform.ExperimentRun.list(experiment=experiment)) == ["run-1", "run-2"]
    assert aiplatform.ExperimentRun.get("run-3", experiment=experiment) is None

    found.delete()
    assert [each.name for each in aiplatform.ExperimentRun.list(experiment=experiment)] == ["run-1"]
    aiplatform.Experiment(experiment).delete()
    assert aiplatform.Experiment.get(experiment) is None


def test_a_data_frame_has_a_row_for_each_run(experiment: str) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: google-cloud-aiplatform[metadata] brings it")
    for run, score in (("run-1", 0.5), ("run-2", 0.75)):
        with aiplatform.start_run(run):
            aiplatform.log_params({"model": "small"})
            aiplatform.log_metrics({"accuracy": score})
    frame = aiplatform.get_experiment_df(experiment)
    rows = frame[["run_name", "run_type", "state", "param.model", "metric.accuracy"]].to_dict("records")
    assert sorted(rows, key=lambda row: row["run_name"]) == [
        {
            "run_name": run,
            "run_type": "system.ExperimentRun",
            "state": "COMPLETE",
            "param.model": "small",
            "metric.accuracy": score,
        }
        for run, score in (("run-1", 0.5), ("run-2", 0.75))
    ]


def test_two_that_log_to_one_run_lose_nothing(experiment: str) -> None:
    aiplatform.start_run("run-1")
    one, two = (aiplatform.ExperimentRun("run-1", experiment=experiment) for _ in range(2))
    one.log_metrics({"accuracy": 0.5})
    two.log_metrics({"loss": 1.5})  # it has an older etag: the SDK reads again and repeats
    aiplatform.end_run()
    found = aiplatform.ExperimentRun("run-1", experiment=experiment)
    assert (found.get_metrics(), found.get_state()) == ({"accuracy": 0.5, "loss": 1.5}, "COMPLETE")


def test_artifacts_of_an_execution_are_found_by_the_run(experiment: str) -> None:
    with aiplatform.start_run("run-1") as run:
        data = aiplatform.Artifact.create(schema_title="system.Dataset", uri="gs://b/data", display_name="data")
        model = aiplatform.Artifact.create(schema_title="system.Model", uri="gs://b/model", display_name="model")
        with aiplatform.start_execution(schema_title="system.ContainerExecution", display_name="train") as execution:
            execution.assign_input_artifacts([data])
            execution.assign_output_artifacts([model])
    assert sorted(each.display_name for each in run.get_artifacts()) == ["data", "model"]
    assert [each.display_name for each in run.get_executions()] == ["train"]
    assert [each.uri for each in execution.get_output_artifacts()] == ["gs://b/model"]


def test_a_pipeline_job_of_an_experiment_is_one_of_its_runs(pipeline_bucket: Any, tmp_path: Any) -> None:
    """The context of the job's run is a child of the experiment's; its executions are not recorded here.

    The job waits until it is cancelled: the SDK does not find the context of a job that ends before its first look.
    """
    yaml = pytest.importorskip("yaml")
    from tests.localcloud.services.pipelines import samples
    from tests.localcloud.services.pipelines.compiling import compiled_with_init
    from tests.strangers.conftest import PROJECT

    spec = tmp_path / "pipeline.yaml"
    spec.write_text(yaml.safe_dump(compiled_with_init(samples.waiting)))
    job = aiplatform.PipelineJob(
        display_name="a job",
        template_path=str(spec),
        pipeline_root=f"gs://{pipeline_bucket.name}/runs",
        parameter_values={"path": str(tmp_path / "process"), "status_path": str(tmp_path / "status")},
        project=PROJECT,
        location=REGION,
    )
    job.submit(experiment="pipelines")
    wait_until((tmp_path / "process").exists)
    job.cancel()
    wait_until(job.done)
    assert Ended(job.gca_resource).state == "CANCELLED"
    experiment = job.get_associated_experiment()
    assert experiment is not None
    assert experiment.name == "pipelines"
