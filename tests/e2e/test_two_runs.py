"""Two whole runs of one deployment at once: one works, the other waits; nothing is created twice, and nothing is lost.

The small model server runs in the place of vLLM: the tests are about the lock, not about answers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.demo_project import REGION, DemoProject, with_flags
from tests.waiting import wait_until
from vertex_vllm.config import Deployment
from vertex_vllm.lifecycle.lock import lock_name
from vertex_vllm.project_names import default_bucket
from vertex_vllm.runs.engine import ENDED, Run
from vertex_vllm.runs.vertex_engine import VertexEngine, pipeline_client, read_run
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client

pytestmark = pytest.mark.parity("local cloud only")


@dataclass(frozen=True)
class Twice:
    """A deployment for two runs; its server becomes healthy when the test creates a file."""

    project: DemoProject
    deployment: Deployment
    gate: Path


@pytest.fixture
def twice(cloud: Connection, small_project: DemoProject, tmp_path: Path) -> Twice:
    gate = tmp_path / "healthy"
    deployment = small_project.own_deployment("twice", keep_endpoint=True)
    return Twice(small_project, with_flags(cloud, deployment, f"--healthy-when={gate}"), gate)


def start_both(twice: Twice) -> list[str]:
    sent = twice.project.submission("deploy", twice.deployment)
    return [VertexEngine().submit(replace(sent, job_id=f"{sent.job_id}-{number}")) for number in (1, 2)]


def follow(names: list[str], look: Callable[[list[Run]], object]) -> list[Run]:
    """Looks at the runs until both have ended."""
    client = pipeline_client(REGION)

    def ended() -> list[Run]:
        runs = [read_run(client.get_pipeline_job(name=name)) for name in names]
        look(runs)
        return runs if all(run.state in ENDED for run in runs) else []

    return wait_until(ended)


def one_works_and_one_waits(runs: list[Run]) -> Run | None:
    """The run that waits for the lock while the other deploys; None at any other moment."""
    for run, other in (runs, runs[::-1]):
        if (states(run).get("lock-deployment"), states(other).get("deploy-model")) == ("RUNNING", "RUNNING"):
            return run
    return None


def states(run: Run) -> dict[str, str]:
    return {step.name: step.state for step in run.steps}


def ours(resources: Any, deployment: Deployment) -> list[Any]:
    return [each for each in resources if each.labels.get("vertex-vllm-deployment") == deployment.name]


def assert_one_of_everything(project: str, deployment: Deployment, run: Run) -> None:
    parent = f"projects/{project}/locations/{REGION}"
    (endpoint,) = ours(endpoint_client(REGION).list_endpoints(parent=parent), deployment)
    (model,) = ours(model_client(REGION).list_models(parent=parent), deployment)
    assert len(endpoint.deployed_models) == 1
    assert [version.version_id for version in model_client(REGION).list_model_versions(name=model.name)] == ["1"]
    assert endpoint.labels["vertex-vllm-stage"] == "live"
    assert endpoint.labels["vertex-vllm-run"] == run.name.rpartition("/")[2]
    bucket = storage.Client(project=project).bucket(default_bucket(project, REGION))
    assert bucket.get_blob(lock_name(deployment.name)) is None


def test_the_second_waits_and_finds_what_the_first_has_made(twice: Twice) -> None:
    names = start_both(twice)
    deploying_at_once = []

    def look(runs: list[Run]) -> None:
        deploying_at_once.append(sum(states(run).get("deploy-model") == "RUNNING" for run in runs))
        if one_works_and_one_waits(runs):
            twice.gate.touch()

    try:
        runs = follow(names, look)
        assert [run.state for run in runs] == ["SUCCEEDED"] * 2, [run.error for run in runs]
        assert max(deploying_at_once) == 1
        first = min(runs, key=lambda run: next(step.ended for step in run.steps if step.name == "deploy-model"))
        assert_one_of_everything(twice.project.id, twice.deployment, first)
    finally:
        twice.project.run("teardown", twice.deployment)


@pytest.mark.slow
def test_one_cancelled_while_it_waits_takes_nothing_from_the_one_that_works(twice: Twice) -> None:
    names = start_both(twice)
    cancelled: list[str] = []

    def cancel_the_one_that_waits(runs: list[Run]) -> None:
        waits = one_works_and_one_waits(runs)
        if waits and not cancelled:
            VertexEngine().cancel(waits.name)
            cancelled.append(waits.name)
        if any(run.name in cancelled and run.state in ENDED for run in runs):
            twice.gate.touch()

    try:
        runs = follow(names, cancel_the_one_that_waits)
        ended = {run.name: run.state for run in runs}
        assert [ended.pop(name) for name in cancelled] == ["CANCELLED"]
        assert list(ended.values()) == ["SUCCEEDED"]
        assert_one_of_everything(twice.project.id, twice.deployment, next(run for run in runs if run.name in ended))
    finally:
        twice.project.run("teardown", twice.deployment)
