"""A run that is killed with SIGKILL while it deploys leaves no server after its exit handler, or after one sweep."""

import os
import signal
from contextlib import suppress

import pytest

from localcloud.daemon import Connection
from localcloud.process.process_table import started_with
from tests.children import runners, steps
from tests.demo_project import REGION, DemoProject, with_flags
from tests.e2e.test_failures import made
from tests.vertex_vllm.served_models import NEVER_READY
from tests.waiting import wait_until
from vertex_vllm.lifecycle.sweep import sweep
from vertex_vllm.runs.engine import Run
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.parity("local cloud only")


@pytest.fixture(
    params=["small_project", pytest.param("demo_project", marks=[pytest.mark.vllm, pytest.mark.slow])],
    ids=["model server", "vLLM"],
)
def served_by(request: pytest.FixtureRequest) -> DemoProject:
    project: DemoProject = request.getfixturevalue(request.param)
    return project


def servers(cloud: Connection) -> set[str]:
    """Command lines of containers and of the processes in them, without those of steps."""
    marks = ("vertex_vllm.local.container ", "vllm_launcher", "VLLM::", "model_server.py")
    return {process for process in started_with(str(cloud.state_dir)) if any(mark in process for mark in marks)}


@pytest.mark.parametrize("handler_runs", [pytest.param(True, marks=pytest.mark.slow), False], ids=["step", "whole run"])
def test_no_server_is_left(cloud: Connection, served_by: DemoProject, handler_runs: bool) -> None:
    deployment = served_by.own_deployment("killed")
    if served_by.small_model:  # Never healthy, so that the step is still deploying when it is struck.
        deployment = with_flags(cloud, deployment, NEVER_READY)
    serves = "model_server.py" if served_by.small_model else "vllm_launcher"
    before, others = servers(cloud), runners(cloud.state_dir)
    name = VertexEngine().submit(served_by.submission("deploy", deployment, keep_endpoint=True))
    (runner,) = runners(cloud.state_dir) - others
    struck: list[int] = []

    def strike_in_deploy(run: Run) -> None:
        deploys = any((step.name, step.state) == ("deploy-model", "RUNNING") for step in run.steps)
        if deploys and not struck and any(serves in each for each in servers(cloud) - before):
            # The runner first, so that no exit handler begins.
            struck.extend([] if handler_runs else [runner])
            struck.extend(steps(cloud.state_dir))
            for group in struck:
                with suppress(ProcessLookupError):  # the local cloud ends what a killed runner leaves
                    os.killpg(group, signal.SIGKILL)

    run = VertexEngine().watch(name, strike_in_deploy)
    assert struck
    assert run.state == "FAILED"
    assert ({step.name: step.state for step in run.steps}.get("teardown-run") == "SUCCEEDED") is handler_runs
    if not handler_runs:
        assert made(served_by.id, deployment.name) != []
        report = sweep(served_by.id, [REGION], dry_run=False)
        assert report.remaining == {}
    assert made(served_by.id, deployment.name) == []
    wait_until(lambda: not servers(cloud) - before, every_seconds=0.2)
