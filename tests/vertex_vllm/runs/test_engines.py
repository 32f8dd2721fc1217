"""The protocol of engines, by the same test body on Vertex AI Pipelines and on Kubeflow Pipelines."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform, storage

from localcloud.daemon import Connection
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.prepared import PINNED_IMAGE, runner, with_runner
from tests.waiting import wait_until
from vertex_vllm.errors import InputError
from vertex_vllm.runs.engine import Engine, Run
from vertex_vllm.runs.kubeflow_engine import KubeflowEngine
from vertex_vllm.runs.submission import Submission, run_labels
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.usefixtures("working")

REGION = "us-central1"
Start = Callable[..., str]


@pytest.fixture(params=["Vertex AI", "Kubeflow"])
def engine(cloud: Connection, request: pytest.FixtureRequest) -> Engine:
    return VertexEngine() if request.param == "Vertex AI" else KubeflowEngine(os.environ["KF_PIPELINES_ENDPOINT"])


@pytest.fixture
def start(engine: Engine, project: str, tmp_path: Path) -> Start:
    """Submits a pipeline of a line or two; returns the run's name."""
    bucket = storage.Client(project=project).create_bucket(f"{project}-runs", location=REGION).name
    with_runner(project, bucket)

    def submit(pipeline: Any, **parameters: Any) -> str:
        spec = tmp_path / f"{uuid.uuid4().hex}.yaml"
        spec.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
        job, account = parameters.pop("job", f"deploy-{uuid.uuid4().hex[:6]}"), runner(project)
        labels = run_labels("deploy", project)
        sent = Submission(project, REGION, spec, job, parameters, f"gs://{bucket}", labels, account, PINNED_IMAGE)
        return engine.submit(sent)

    return submit


def test_submissions_of_the_same_second_are_runs_of_their_own(cloud: Connection, start: Start) -> None:
    """Over REST the SDK raises another class for an id that exists."""
    names = [start(samples.greetings, job="deploy-20261201003232", name=str(number)) for number in range(3)]
    aiplatform.init(api_transport="rest")
    try:
        names.append(start(samples.greetings, job="deploy-20261201003232", name="3"))
    finally:
        aiplatform.init(api_transport="grpc")
    assert len(set(names)) == 4
    if "/pipelineJobs/" in names[0]:
        assert [name.rpartition("/")[2] for name in names] == [
            *("deploy-20261201003232", "deploy-20261201003232-2", "deploy-20261201003232-3", "deploy-20261201003232-4")
        ]


def ignore(run: Run) -> None:
    """Takes a reading of `watch`."""


def test_a_run_is_watched_to_its_end_with_its_steps_and_read_again(engine: Engine, start: Start) -> None:
    readings: list[Run] = []
    name = start(samples.greetings, name="you")
    ended = engine.watch(name, readings.append)
    assert (ended.name, ended.state, ended.error) == (name, "SUCCEEDED", "")
    assert {step.name: step.state for step in ended.steps} == {
        "write-greeting": "SUCCEEDED",
        "read-greeting": "SUCCEEDED",
    }
    assert readings[-1] == ended == engine.read(name)


def test_a_run_that_fails_says_in_which_step_and_why(engine: Engine, start: Start, tmp_path: Path) -> None:
    ended = engine.watch(start(samples.fails_first, path=str(tmp_path / "status.json")), ignore)
    assert ended.state == "FAILED"
    assert [step.name for step in ended.steps if step.state == "FAILED" and step.error] == ["fail"]


def test_a_run_is_cancelled(engine: Engine, start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    name = start(samples.waiting, path=str(begun), status_path=str(tmp_path / "status.json"))
    wait_until(begun.exists)
    engine.cancel(name)
    assert engine.watch(name, ignore).state == "CANCELLED"


@pytest.mark.parametrize("act", ["read", "watch", "cancel"])
def test_a_run_that_does_not_exist_is_the_caller_s_mistake(engine: Engine, project: str, act: str) -> None:
    vertex_name = f"projects/{project}/locations/{REGION}/pipelineJobs/none"
    name = {VertexEngine: vertex_name, KubeflowEngine: "none"}[type(engine)]
    further = (ignore,) if act == "watch" else ()
    with pytest.raises(InputError, match="there is no such run") as caught:
        getattr(engine, act)(name, *further)
    assert caught.value.where == name


def test_a_run_has_a_page_and_a_command_that_prints_it() -> None:
    name = "projects/p-1/locations/us-central1/pipelineJobs/deploy-1"
    vertex, kubeflow = VertexEngine(), KubeflowEngine("http://host/")
    assert vertex.address(name) == (
        "https://console.cloud.google.com/vertex-ai/pipelines/locations/us-central1/runs/deploy-1?project=p-1"
    )
    assert vertex.command(name) == f"vertex-vllm runs show {name}"
    assert kubeflow.address("7") == "http://host/#/runs/details/7"
    assert kubeflow.command("7") == "kfp run get 7"


@pytest.mark.parametrize("engine", ["Kubeflow"], indirect=True)
def test_kubeflow_s_own_command_prints_the_run(engine: Engine, start: Start) -> None:
    name = start(samples.greetings, name="you")
    engine.watch(name, ignore)
    command = Path(sys.executable).parent / engine.command(name)
    printed = subprocess.run(str(command), shell=True, capture_output=True, text=True, check=True)
    assert f"{name}  " in printed.stdout


def test_without_a_host_kubeflow_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InputError, match="no Kubeflow Pipelines is named"):
        KubeflowEngine("").read("7")
