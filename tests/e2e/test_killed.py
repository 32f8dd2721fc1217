"""Killed with SIGKILL while it deploys, a run leaves no vLLM: after its exit handler, or else after one sweep."""

import os
import signal
import time
import uuid
from contextlib import suppress

import pytest

from localcloud.daemon import Connection
from localcloud.process_table import started_with
from tests.children import children, steps
from tests.e2e.conftest import REGION, DemoProject
from tests.e2e.test_failures import made
from vertex_vllm.config import Deployment
from vertex_vllm.lifecycle.sweep import sweep
from vertex_vllm.runs.submission import submit
from vertex_vllm.runs.watching import Run, watch

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]

PATIENCE_SECONDS = 60


@pytest.fixture
def deployment(demo_project: DemoProject) -> Deployment:
    configured = demo_project.deployment("smollm2-135m-instruct")
    return configured.model_copy(update={"name": f"killed-{uuid.uuid4().hex[:6]}"})


def vllm_processes(cloud: Connection) -> set[str]:
    """Containers and what runs in them; a step's own command names vertex_vllm, and is none."""
    marks = ("localcloud.container ", "vllm_launcher", "VLLM::")
    return {process for process in started_with(str(cloud.state_dir)) if any(mark in process for mark in marks)}


@pytest.mark.parametrize("handler_runs", [True, False], ids=["step", "whole run"])
def test_nothing_of_vllm_is_left(
    cloud: Connection,
    demo_project: DemoProject,
    deployment: Deployment,
    handler_runs: bool,
) -> None:
    before, others = vllm_processes(cloud), children(cloud.state_dir)
    name = submit(demo_project.submission("deploy", deployment, keep_endpoint=True))
    (runner,) = children(cloud.state_dir) - others
    struck: list[int] = []

    def strike_in_deploy(run: Run) -> None:
        step = next(step for step in run.steps if step.name == "deploy-model")
        if (
            step.state == "RUNNING"
            and not struck
            and any("vllm_launcher" in each for each in vllm_processes(cloud) - before)
        ):
            # The runner first, so that no exit handler begins.
            struck.extend([] if handler_runs else [runner])
            struck.extend(steps(cloud.state_dir))
            for group in struck:
                with suppress(ProcessLookupError):  # the local cloud ends what a killed runner leaves
                    os.killpg(group, signal.SIGKILL)

    run = watch(name, strike_in_deploy)
    assert struck
    assert run.state == "FAILED"
    assert ({step.name: step.state for step in run.steps}.get("teardown-run") == "SUCCEEDED") is handler_runs
    if not handler_runs:
        assert made(demo_project.id, deployment.name) != []
        report = sweep(demo_project.id, [REGION], dry_run=False)
        assert report.left == ()
    assert made(demo_project.id, deployment.name) == []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while vllm_processes(cloud) - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert vllm_processes(cloud) - before == set()
