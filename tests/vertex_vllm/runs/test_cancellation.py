"""A step asks whether its run was cancelled, and then ends as after a signal."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.services.pipelines import samples
from tests.vertex_vllm.cli.test_endpoints_command import submit_run
from tests.vertex_vllm.served_models import REGION
from tests.waiting import PATIENCE_SECONDS, wait_until
from vertex_vllm.runs import cancellation
from vertex_vllm.runs.vertex_engine import VertexEngine
from vertex_vllm.vertex_ai.interruption import interruption


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "ASK_SECONDS", 0.05)


def asking() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "cancellation"]


def test_a_cancelled_run_ends_its_step_without_a_signal_from_outside(cloud: Any, project: str, tmp_path: Path) -> None:
    files = {"path": str(tmp_path / "waiting"), "status_path": str(tmp_path / "status")}
    submit_run(project, "run-1", tmp_path, samples.waiting, **files)
    run = f"projects/{project}/locations/{REGION}/pipelineJobs/run-1"
    with interruption() as asked, cancellation.stopped_with(run):
        assert not asked.wait(0.2)
        VertexEngine().cancel(run)
        assert asked.wait(PATIENCE_SECONDS)
        assert asked.signal_name == "SIGTERM"


def test_a_run_that_vertex_ai_does_not_know_is_asked_about_once(cloud: Any, project: str) -> None:
    run = f"projects/{project}/locations/{REGION}/pipelineJobs/no-such-run"
    with interruption() as asked, cancellation.stopped_with(run):
        wait_until(lambda: not asking())
        assert not asked.wait(0)


@pytest.mark.parametrize(
    "run",
    [
        "",
        "run-of-kubeflow",
        "projects/p/locations/evil.example#/pipelineJobs/x",
        "projects/p/locations/us-central1/pipelineJobs/x?y",
    ],
)
def test_what_is_not_a_pipeline_job_is_not_asked_about(run: str) -> None:
    with cancellation.stopped_with(run):
        assert asking() == []
