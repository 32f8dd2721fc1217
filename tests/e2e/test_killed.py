"""Killed with SIGKILL while it deploys, a run leaves no vLLM: after its exit handler, or else after one sweep."""

import json
import os
import signal
import time
import uuid
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


def leaders(folder: Path) -> set[int]:
    """Processes that lead a group of their own, by the records that are kept of them while they run."""
    found = set()
    for record in folder.glob("*.json"):
        with suppress(FileNotFoundError, json.JSONDecodeError):  # ended, or being written
            found.add(int(json.loads(record.read_text())["pid"]))
    return found


def steps(cloud: Connection) -> list[int]:
    return [pid for folder in cloud.state_dir.glob("pipelines/*/processes") for pid in leaders(folder)]


@pytest.mark.parametrize("handler_runs", [True, False], ids=["step", "whole run"])
def test_nothing_of_vllm_is_left(
    cloud: Connection,
    demo_project: DemoProject,
    deployment: Deployment,
    handler_runs: bool,
) -> None:
    before, children = vllm_processes(cloud), cloud.state_dir / "run" / "children"
    others = leaders(children)
    name = submit(demo_project.submission("deploy", deployment, keep_endpoint=True))
    (runner,) = leaders(children) - others
    struck: list[int] = []

    def strike_in_deploy(run: Run) -> None:
        step = next(step for step in run.steps if step.name == "deploy-model")
        if (
            step.state == "RUNNING"
            and not struck
            and any("vllm_launcher" in each for each in vllm_processes(cloud) - before)
        ):
            # The runner first, so that no exit handler begins.
            struck.extend(steps(cloud) if handler_runs else [runner, *steps(cloud)])
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
