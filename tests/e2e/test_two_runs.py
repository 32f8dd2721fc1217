"""Two whole runs of one deployment at once: one works, the other waits for it; nothing is there twice, nothing is lost.

A small model server stands in for vLLM: what is asked is who may deploy, not what answers.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.e2e.conftest import REGION, DemoProject
from tests.vertex_vllm.served_models import teach
from vertex_vllm.config import Deployment, default_bucket
from vertex_vllm.lifecycle.lock import lock_name
from vertex_vllm.runs.submission import submit
from vertex_vllm.runs.watching import ENDED, Run, cancel, pipeline_client, read_run
from vertex_vllm.serving.clients import endpoint_client, model_client

# vllm: the demo's model, which is mirrored, is made with its runtime.
pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]

IMAGE = "tests.example/slow-model-server:1"
# Longer than the other run needs, once both have begun, to come to the lock.
SLOW_TO_SERVE = "--healthy-after=20"


@pytest.fixture
def deployment(cloud: Connection, demo_project: DemoProject) -> Deployment:
    teach(cloud, IMAGE, SLOW_TO_SERVE)
    configured = demo_project.deployment("smollm2-135m-instruct")
    return configured.model_copy(update={"name": f"twice-{uuid.uuid4().hex[:6]}", "keep_endpoint": True})


def start_both(project: DemoProject, deployment: Deployment) -> list[str]:
    sent = project.submission("deploy", deployment, image=IMAGE, extra_args=[], min_exact_match=0.0)
    return [submit(replace(sent, job_id=f"{sent.job_id}-{number}")) for number in (1, 2)]


def follow(names: list[str], look: Callable[[list[Run]], object]) -> list[Run]:
    client = pipeline_client(REGION)
    while True:
        runs = [read_run(client.get_pipeline_job(name=name)) for name in names]
        look(runs)
        if all(run.state in ENDED for run in runs):
            return runs
        time.sleep(0.2)


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


def test_the_second_waits_and_finds_what_the_first_has_made(demo_project: DemoProject, deployment: Deployment) -> None:
    names = start_both(demo_project, deployment)
    deploying_at_once = []
    try:
        runs = follow(
            names,
            lambda runs: deploying_at_once.append(sum(states(run).get("deploy-model") == "RUNNING" for run in runs)),
        )
        assert [run.state for run in runs] == ["SUCCEEDED"] * 2, [run.error for run in runs]
        assert max(deploying_at_once) == 1
        first = min(runs, key=lambda run: next(step.ended for step in run.steps if step.name == "deploy-model"))
        assert_one_of_everything(demo_project.id, deployment, first)
    finally:
        demo_project.run("teardown", deployment)


def test_one_cancelled_while_it_waits_takes_nothing_from_the_one_that_works(
    demo_project: DemoProject, deployment: Deployment
) -> None:
    names = start_both(demo_project, deployment)
    cancelled: list[str] = []

    def cancel_the_one_that_waits(runs: list[Run]) -> None:
        for run, other in (runs, reversed(runs)):
            works, waits = states(other).get("deploy-model"), states(run).get("lock-deployment")
            if (works, waits) == ("RUNNING", "RUNNING") and not cancelled:
                cancel(run.name)
                cancelled.append(run.name)

    try:
        runs = follow(names, cancel_the_one_that_waits)
        ended = {run.name: run.state for run in runs}
        assert [ended.pop(name) for name in cancelled] == ["CANCELLED"]
        assert list(ended.values()) == ["SUCCEEDED"]
        assert_one_of_everything(demo_project.id, deployment, next(run for run in runs if run.name in ended))
    finally:
        demo_project.run("teardown", deployment)
