"""Killed with SIGKILL while it deploys, a run leaves no vLLM: after its exit handler, or else after one sweep."""

import json
import os
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from localcloud.daemon import Connection
from localcloud.process_table import started_with
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


def run_folder(cloud: Connection, run: str) -> Path:
    jobs = (cloud.state_dir / "pipelines").glob("*/job.json")
    return next(job.parent for job in jobs if json.loads(job.read_text())["name"].endswith(run.rpartition("/")[2]))


def the_step(folder: Path) -> list[int]:
    """What runs of it now: a process that leads a group of its own."""
    return [json.loads(record.read_text())["pid"] for record in (folder / "processes").glob("*.json")]


def the_whole_run(folder: Path) -> list[int]:
    """Its runner first, so that no exit handler begins."""
    runners = [process for process in started_with(str(folder)) if "localcloud.pipelines.runner" in process]
    return [*(int(runner.partition(" ")[0]) for runner in runners), *the_step(folder)]


@pytest.mark.parametrize(
    ("killed", "handler_runs"), [(the_step, True), (the_whole_run, False)], ids=["step", "whole run"]
)
def test_nothing_of_vllm_is_left(
    cloud: Connection,
    demo_project: DemoProject,
    deployment: Deployment,
    killed: Callable[[Path], list[int]],
    handler_runs: bool,
) -> None:
    before = vllm_processes(cloud)
    name = submit(demo_project.submission("deploy", deployment, keep_endpoint=True))
    struck: list[int] = []

    def strike_in_deploy(run: Run) -> None:
        step = next(step for step in run.steps if step.name == "deploy-model")
        if (
            step.state == "RUNNING"
            and not struck
            and any("vllm_launcher" in each for each in vllm_processes(cloud) - before)
        ):
            struck.extend(killed(run_folder(cloud, name)))
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
