"""The evaluation in Vertex Experiments."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from google.cloud import aiplatform
from google.cloud import aiplatform_v1beta1 as vertex

from tests.vertex_vllm.evaluation.evaluated_endpoint import MODEL, Evaluated
from tests.vertex_vllm.evaluation.evaluations import EVALUATION
from tests.vertex_vllm.served_models import REGION
from vertex_vllm.evaluation.evaluate import Evaluation, Thresholds, metrics_of
from vertex_vllm.evaluation.experiment_run import ExperimentRun, record_experiment_run
from vertex_vllm.labels import experiment_id


@pytest.fixture
def experiment() -> str:
    return f"demo-{uuid.uuid4().hex[:8]}"


def of(served: Evaluated, run_id: str = "run-2") -> Evaluation:
    run = f"projects/{served.project}/locations/{REGION}/pipelineJobs/{run_id}"
    return replace(EVALUATION, subject=replace(EVALUATION.subject, endpoint=served.endpoint, run=run))


def found(served: Evaluated, experiment: str, run: str = "run-2") -> aiplatform.ExperimentRun:
    return aiplatform.ExperimentRun(run, experiment=experiment, project=served.project, location=REGION)


def test_a_run_shows_what_was_served_and_measured(served: Evaluated, experiment: str) -> None:
    name = record_experiment_run(of(served), experiment, "gs://b/evaluations/demo/runs/run-2.json")
    run = found(served, experiment)
    assert (run.resource_name, run.get_state()) == (name, "COMPLETE")
    assert run.get_metrics() == metrics_of(EVALUATION)
    params = run.get_params()
    assert params.pop("image") == served.plan.image
    assert params.pop("suite_digest") == EVALUATION.asking.suite.digest
    assert params == {
        "deployment": "demo",
        "pipeline_run": "run-2",
        "model": MODEL,
        "commit": served.plan.commit,
        "config": served.plan.config_hash,
        "suite": "mine",
        "machine": served.plan.machine_type,
        "accelerator": "",
        "accelerator_count": 0,
        "replicas": 1,
        "spot": 0,
        "region": REGION,
        "passed": 1,
        "verdict": "No run of demo has been promoted with an evaluation yet: this is the first.",
        "result": "gs://b/evaluations/demo/runs/run-2.json",
    }


def test_a_step_that_is_repeated_writes_the_same_run_again(served: Evaluated, experiment: str) -> None:
    record_experiment_run(of(served), experiment)
    refused = replace(of(served), thresholds=Thresholds(min_exact_match=0.9))
    record_experiment_run(refused, experiment)
    (run,) = aiplatform.ExperimentRun.list(experiment=experiment, project=served.project, location=REGION)
    assert (run.get_state(), run.get_params()["passed"]) == ("FAILED", 0)


def test_a_run_on_kubeflow_is_recorded_where_its_endpoint_is(served: Evaluated, experiment: str) -> None:
    on_kubeflow = replace(EVALUATION.subject, endpoint=served.endpoint, run="deploy-x7k2p")
    name = record_experiment_run(replace(EVALUATION, subject=on_kubeflow), experiment)
    assert found(served, experiment, "deploy-x7k2p").resource_name == name


def test_runs_that_begin_at_once_share_the_experiment(served: Evaluated, experiment: str) -> None:
    with ThreadPoolExecutor() as pool:
        names = list(pool.map(lambda n: record_experiment_run(of(served, f"run-{n}"), experiment), range(8)))
    runs = aiplatform.ExperimentRun.list(experiment=experiment, project=served.project, location=REGION)
    assert {run.resource_name for run in runs} == set(names)
    assert len(runs) == 8


@pytest.mark.parametrize(
    "rpc", ["GetMetadataStore", "GetContext", "CreateContext", "UpdateContext", "AddContextChildren"]
)
def test_a_call_that_fails_once_is_repeated(served: Evaluated, experiment: str, cloud: Any, rpc: str) -> None:
    record_experiment_run(of(served), experiment)
    cloud.add_fault(rpc=rpc, kind="error", code="UNAVAILABLE", times=1)
    try:
        assert record_experiment_run(of(served), experiment)
        assert [fault["struck"] for fault in cloud.faults()] == [1]
    finally:
        cloud.clear_faults()


def test_a_run_belongs_to_its_experiment_once_the_call_that_adds_it_was_lost(
    served: Evaluated, experiment: str, cloud: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.add_fault(rpc="AddContextChildren", kind="error", code="PERMISSION_DENIED", times=1)
    try:
        assert record_experiment_run(of(served), experiment) == ""
    finally:
        cloud.clear_faults()
    assert "Vertex Experiments do not show the evaluation: " in caplog.text
    record_experiment_run(of(served), experiment)
    assert found(served, experiment).resource_name
    assert len(aiplatform.ExperimentRun.list(experiment=experiment, project=served.project, location=REGION)) == 1


def test_a_name_that_is_taken_by_something_else_is_said(
    served: Evaluated, experiment: str, caplog: pytest.LogCaptureFixture
) -> None:
    record_experiment_run(of(served), f"{experiment}-first")  # creates the metadata store
    aiplatform.Context.create(
        schema_title="system.Pipeline", resource_id=experiment, project=served.project, location=REGION
    )
    assert record_experiment_run(of(served), experiment) == ""
    assert f"{experiment} is a system.Pipeline, not an experiment" in caplog.text
    assert "evaluation.experiment" in caplog.text


def test_nothing_is_recorded_where_the_config_asks_for_none(served: Evaluated, cloud: Any) -> None:
    cloud.add_fault(rpc="GetMetadataStore", kind="error", code="PERMISSION_DENIED", times=1)
    try:
        assert record_experiment_run(of(served), "") == ""
        assert [fault["met"] for fault in cloud.faults()] == [0]
    finally:
        cloud.clear_faults()


@pytest.mark.parametrize(
    ("named", "deployment", "expected"),
    [
        ("", "llama-8b", "llama-8b"),
        ("", "a1", "a1-evaluations"),
        ("team-experiments", "llama-8b", "team-experiments"),
        ("none", "llama-8b", ""),
        ("", "", ""),
    ],
)
def test_the_experiment_of_a_deployment(named: str, deployment: str, expected: str) -> None:
    assert experiment_id(named, deployment) == expected


def test_long_names_stay_apart_and_within_what_the_sdk_takes() -> None:
    runs = [ExperimentRun("e" * 64, f"{'r' * 127}{n}", {}, {}, True) for n in range(2)]
    assert len({run.context_id for run in runs}) == 2
    assert all(len(run.context_id) == 121 for run in runs)
    assert ExperimentRun("demo", "run-1", {}, {}, True).context_id == "demo-run-1"


def test_figures_that_are_not_numbers_are_left_out() -> None:
    run = ExperimentRun("demo", "run-1", {"model": "m"}, {"a": 1.0, "b": float("nan"), "c": float("inf")}, False)
    assert run.request == vertex.Context(
        display_name="run-1",
        schema_title="system.ExperimentRun",
        schema_version="0.0.1",
        metadata={"_params": {"model": "m"}, "_metrics": {"a": 1.0}, "_state": "FAILED"},
    )
