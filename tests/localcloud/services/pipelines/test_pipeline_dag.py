"""The execution of a pipeline's tasks in order, with every task really run, in this process."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.services.pipelines.job import Job
from localcloud.services.pipelines.run_directory import RunDirectory
from localcloud.services.pipelines.runner import Events, run_job
from localcloud.services.pipelines.task_process import TaskProcesses
from tests.localcloud.process.fork_servers import running_fork_server
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled

JOB_NAME = "projects/12/locations/us-central1/pipelineJobs/run-1"


class Finished:
    """States, errors and outputs of a run's tasks from its events, by unique name; "" is the pipeline."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = [(event["event"], ".".join(event["path"])) for event in events]
        ended = {".".join(event["path"]): event for event in events if event["event"] == "task_ended"}
        self.states = {name: event["state"] for name, event in ended.items()}
        self.errors = {name: event["error"] for name, event in ended.items() if event["error"]}
        self.outputs = {name: event["outputs"]["parameters"] for name, event in ended.items()}


@pytest.fixture(scope="module")
def fork_server() -> Iterator[Path]:
    with running_fork_server() as server:
        yield server.socket


@pytest.fixture
def run(tmp_path: Path, fork_server: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    # No task here produces an artifact: the storage client exists, and sends nothing.
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")

    def run_pipeline(pipeline: Any, *, fail_fast: bool = False, **parameters: Any) -> Finished:
        directory = RunDirectory(tmp_path / "run")
        directory.create()
        monkeypatch.setenv("PATH", f"{directory.programs}:{os.environ['PATH']}")
        monkeypatch.setenv("TMPDIR", str(directory.temporary))
        job = Job(
            name=JOB_NAME,
            uid="77",
            project="my-project",
            create_time="2030-01-01T00:00:00Z",
            spec=compiled(pipeline),
            parameters=parameters,
            pipeline_root="gs://bucket/root",
            fail_fast=fail_fast,
            run_directory=str(directory.root),
            log_directory=str(tmp_path / "logs"),
            grace_seconds=30,
            fork_server=str(fork_server),
        )
        run_job(job, Events(directory.events), TaskProcesses(directory.processes, job.grace_seconds, fork_server))
        return Finished([json.loads(line) for line in directory.events.read_text().splitlines()])

    return run_pipeline


def test_a_failure_reaches_the_exit_handler_with_its_cause(run: Any, tmp_path: Path) -> None:
    finished = run(samples.guarded, path=str(tmp_path / "status.json"), message="no quota\nfix: ask for some")
    log = tmp_path / "logs" / "exit-handler-1.fail.log"
    cause = f"RuntimeError: no quota\nfix: ask for some (exit status 1, log: {log})"
    dag_error = f"The DAG failed because some tasks failed. The failed tasks are: [fail]. fail: {cause}"
    assert finished.states == {
        "exit-handler-1.add": "SUCCEEDED",
        "exit-handler-1.fail": "FAILED",
        "exit-handler-1.echo": "NOT_TRIGGERED",
        "exit-handler-1": "FAILED",
        "clean-up": "SUCCEEDED",
        "": "FAILED",
    }
    assert finished.errors == {"exit-handler-1.fail": cause, "exit-handler-1": dag_error, "": dag_error}
    assert json.loads((tmp_path / "status.json").read_text()) == {
        "state": "FAILED",
        "pipeline_job_resource_name": JOB_NAME,
        "pipeline_task_name": "exit-handler-1",
        "error_code": 9,
        "error_message": dag_error,
    }
    assert "RuntimeError: no quota" in log.read_text()


def test_under_fail_fast_no_further_task_starts_but_the_exit_handler_does(run: Any, tmp_path: Path) -> None:
    finished = run(samples.fails_first, fail_fast=True, path=str(tmp_path / "status.json"))
    assert finished.states == {
        "exit-handler-1.fail": "FAILED",
        "exit-handler-1.report-environment": "NOT_TRIGGERED",
        "exit-handler-1": "FAILED",
        "clean-up": "SUCCEEDED",
        "": "FAILED",
    }


@pytest.mark.parametrize(
    ("text", "taken", "other", "answer"),
    [("it's", "condition-3.echo-2", "condition-4", "long"), ("abc", "condition-4.echo-3", "condition-3", "short")],
)
def test_of_several_branches_one_is_taken(run: Any, text: str, taken: str, other: str, answer: str) -> None:
    finished = run(samples.branches, text=text)
    assert finished.states["condition-1"] == "NOT_TRIGGERED"
    assert finished.states[f"condition-branches-2.{taken}"] == "SUCCEEDED"
    assert finished.states[f"condition-branches-2.{other}"] == "NOT_TRIGGERED"
    assert finished.outputs["echo-4"] == {"Output": answer}
    assert finished.states[""] == "SUCCEEDED"


def test_a_condition_on_text_is_about_that_text(run: Any) -> None:
    assert run(samples.branches, text="plain").states["condition-1"] == "SUCCEEDED"


def test_each_iteration_of_a_loop_gets_its_item_and_what_comes_from_outside(run: Any) -> None:
    finished = run(samples.loops)
    assert finished.outputs["add"] == {"Output": 11}
    assert finished.outputs["for-loop-2"] == {"pipelinechannel--add-2-Output": [12, 13, 14]}
    assert finished.outputs["total"] == {"Output": 39}
    assert finished.states["for-loop-2.for-loop-2-iteration-2.add-2"] == "SUCCEEDED"


def test_a_failed_attempt_is_told_and_tried_again(run: Any, tmp_path: Path) -> None:
    finished = run(samples.retried, path=str(tmp_path / "attempts"), attempts=3)
    assert finished.events == [
        ("task_started", ""),
        ("task_started", "fail-until"),
        ("attempt_failed", "fail-until"),
        ("attempt_failed", "fail-until"),
        ("task_ended", "fail-until"),
        ("task_ended", ""),
    ]
    assert finished.outputs["fail-until"] == {"Output": 3}


def test_attempts_come_to_an_end(run: Any, tmp_path: Path) -> None:
    finished = run(samples.retried, path=str(tmp_path / "attempts"), attempts=4)
    assert finished.errors["fail-until"].startswith("ConnectionError: attempt 3 ")
    assert finished.states == {"fail-until": "FAILED", "": "FAILED"}


def test_placeholders_give_real_names_and_text_stays_as_it_is(run: Any) -> None:
    finished = run(samples.named, text="python3 -m it's {{$.unknown}}")
    assert finished.outputs["echo"] == {"Output": f"run-1 {JOB_NAME}"}
    assert finished.outputs["echo-2"] == {"Output": "echo-2 python3 -m it's {{$.unknown}}"}
    assert finished.outputs["echo-3"] == {"Output": "3 and 4"}


def test_defaults_and_inputs_without_any_value(run: Any) -> None:
    assert run(samples.optional).outputs == {
        "greet": {"Output": "hello nobody"},
        "": {},
    }


def test_a_program_that_is_not_there_is_the_tasks_failure(run: Any, tmp_path: Path) -> None:
    finished = run(samples.missing_program, path=str(tmp_path / "status.json"))
    assert finished.errors["exit-handler-1.no-such-program"].startswith("FileNotFoundError: ")
    assert finished.states["clean-up"] == "SUCCEEDED"


def test_nothing_is_left_in_the_temporary_directory_of_the_machine(run: Any, tmp_path: Path) -> None:
    run(samples.optional)
    ephemeral = list((tmp_path / "run" / "tmp").rglob("ephemeral_component.py"))
    assert len(ephemeral) == 1
