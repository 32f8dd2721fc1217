"""A forked step ends as the same command started anew: each test runs both."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud.process import process_table
from localcloud.services.pipelines.task_process import ProcessResult, TaskCancelledError, TaskProcesses
from localcloud.services.pipelines.warm_component import component_arguments
from tests.localcloud.process import step_endings
from tests.localcloud.process.fork_servers import Server, running_fork_server
from tests.localcloud.services.pipelines.compiling import compiled, compiled_with_init
from tests.waiting import PATIENCE_SECONDS, wait_until


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """The server of all tests that leave it running."""
    with running_fork_server() as server:
        yield server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that the test may end."""
    with running_fork_server() as server:
        yield server


@pytest.fixture(params=["anew", "forked"])
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def anew(command: list[str]) -> list[str]:
    """The same command in a form that the local cloud starts as it is: a shell that has one more thing to do."""
    at = command.index("-ec") + 1
    return [*command[:at], f"true\n{command[at]}", *command[at + 1 :]]


def command_of(component: Any, folder: Path, text: str, *, init: bool = False) -> list[str]:
    compile_it = compiled_with_init if init else compiled
    (executor,) = compile_it(component)["deploymentSpec"]["executors"].values()
    outputs = {"parameters": {"Output": {"outputFile": str(folder / "output")}}}
    given = {
        "inputs": {"parameterValues": {"text": text}},
        "outputs": {**outputs, "outputFile": str(folder / "executor_output.json")},
    }
    arguments = [json.dumps(given) if word == "{{$}}" else word for word in executor["container"]["args"]]
    return [*executor["container"]["command"], *arguments]


@dataclass
class Step:
    """Runs in a thread, in folders of its own."""

    component: Any
    folder: Path
    processes: TaskProcesses
    text: str = "7"
    start: str = "forked"
    uncancellable: bool = False
    init: bool = False
    outcome: list[ProcessResult | TaskCancelledError] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("home", "temporary", "scratch", "bin"):
            (self.folder / name).mkdir(exist_ok=True)
        python = self.folder / "bin" / "python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temporary"),
            "PYTHONUNBUFFERED": "1",
            "ONLY_HERE": "yes",
        }
        command = command_of(self.component, self.folder, self.text, init=self.init)
        try:
            self.outcome.append(
                self.processes.run(
                    anew(command) if self.start == "anew" else command,
                    environment=environment,
                    directory=self.folder / "scratch",
                    log=self.folder / "log",
                    uncancellable=self.uncancellable,
                )
            )
        except TaskCancelledError as cancelled:
            self.outcome.append(cancelled)

    def end(self) -> ProcessResult | TaskCancelledError:
        self._thread.join(PATIENCE_SECONDS)
        (outcome,) = self.outcome
        return outcome

    @property
    def output(self) -> Any:
        return json.loads((self.folder / "executor_output.json").read_text())["parameterValues"]["Output"]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def processes(tmp_path: Path, shared_server: Server) -> TaskProcesses:
    return task_processes(tmp_path, shared_server)


def task_processes(folder: Path, server: Server, grace_seconds: float = PATIENCE_SECONDS) -> TaskProcesses:
    records = folder / "records"
    records.mkdir()
    return TaskProcesses(records, grace_seconds, server.socket)


@pytest.mark.parametrize(
    ("component", "text", "result"),
    [
        (step_endings.succeed, "7", ProcessResult(0, "")),
        (step_endings.fail, "no such model", ProcessResult(1, "KeyError: 'no such model'")),
        (step_endings.leave, "3", ProcessResult(3, "last words")),
        (step_endings.leave, "143", ProcessResult(143, "last words")),
    ],
    ids=["succeeds", "fails", "exits", "exits as if stopped"],
)
def test_it_ends_with_the_same_code_and_cause(
    processes: TaskProcesses, start: str, tmp_path: Path, component: Any, text: str, result: ProcessResult
) -> None:
    assert Step(component, tmp_path, processes, text, start).end() == result
    assert list((tmp_path / "records").iterdir()) == []


def test_one_that_is_killed_says_so(processes: TaskProcesses, start: str, tmp_path: Path) -> None:
    outcome = Step(step_endings.kill_itself, tmp_path, processes, start=start).end()
    assert isinstance(outcome, ProcessResult)
    assert outcome.returncode == 137


def test_what_it_prints_is_in_its_log_and_what_it_returns_in_its_output(
    processes: TaskProcesses, start: str, tmp_path: Path
) -> None:
    step = Step(step_endings.succeed, tmp_path, processes, "words", start)
    assert step.end() == ProcessResult(0, "")
    assert "said words\n" in step.log
    assert step.output == "words"


def test_its_surroundings_are_its_own(processes: TaskProcesses, start: str, tmp_path: Path) -> None:
    step = Step(step_endings.surroundings, tmp_path, processes, start=start)
    assert step.end() == ProcessResult(0, ""), step.log
    found = step.output
    environment = found.pop("environment")
    shells = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}  # Variables that a shell and an interpreter add.
    assert set(environment) - shells == {"PATH", "HOME", "TMPDIR", "PYTHONUNBUFFERED", "ONLY_HERE", "_KFP_RUNTIME"}
    assert environment["HOME"] == str(tmp_path / "home")
    assert found == {
        "directory": str(tmp_path / "scratch"),
        "temporary": str(tmp_path / "temporary"),
        "second on the path": str(tmp_path / "scratch"),
        "leads no group": True,
        "session is the group": True,
        "input": "",
        "has the client of a whole kfp": False,
        "descriptors": [0, 1, 2],
    }


def test_cancelled_it_may_put_things_in_order(processes: TaskProcesses, start: str, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    step = Step(step_endings.tidy_at_sigterm, tmp_path, processes, str(pid), start, init=True)
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.cancel()
    assert isinstance(step.end(), TaskCancelledError)
    assert pid.with_suffix(".tidy").read_text() == "tidy"


def test_one_that_ignores_sigterm_is_killed_after_the_grace(shared_server: Server, start: str, tmp_path: Path) -> None:
    pid, processes = tmp_path / "pid", task_processes(tmp_path, shared_server, grace_seconds=0.2)
    step = Step(step_endings.ignore_sigterm, tmp_path, processes, str(pid), start)
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.cancel()
    assert isinstance(step.end(), TaskCancelledError)
    assert process_table.start_time(int(pid.read_text())) is None


def test_what_it_left_behind_ends_with_it(processes: TaskProcesses, start: str, tmp_path: Path) -> None:
    left = tmp_path / "left"
    assert Step(step_endings.leave_a_child, tmp_path, processes, str(left), start).end() == ProcessResult(0, "")
    assert process_table.start_time(int(left.read_text())) is None


def test_steps_that_run_at_the_same_time_do_not_disturb_each_other(
    processes: TaskProcesses, start: str, tmp_path: Path
) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    steps = [Step(step_endings.succeed, folder, processes, folder.name, start) for folder in folders]
    assert [step.end() for step in steps] == [ProcessResult(0, "")] * 3
    assert [step.output for step in steps] == ["0", "1", "2"]


def test_what_is_no_python_component_is_started_anew(processes: TaskProcesses, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.environ)"]
    assert component_arguments(command) is None
    result = processes.run(
        command, environment=dict(os.environ), directory=tmp_path, log=tmp_path / "log", uncancellable=False
    )
    assert result == ProcessResult(0, "")


def test_one_that_installs_packages_first_is_started_anew() -> None:
    script = "python3 -m pip install kfp && python3 -m kfp.dsl.executor_main"
    assert component_arguments(["sh", "-c", script, "source"]) is None
    assert component_arguments(["sh", "-ec", script, "source"]) is None


def test_a_step_whose_fork_server_is_killed_has_failed(server: Server, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    step = Step(step_endings.ignore_sigterm, tmp_path, task_processes(tmp_path, server), str(pid))
    wait_until(lambda: pid.exists() and pid.read_text())
    os.kill(server.pid, 9)
    outcome = step.end()
    assert isinstance(outcome, ProcessResult)
    assert outcome.returncode == -9
    wait_until(lambda: process_table.start_time(int(pid.read_text())) is None)


def test_a_program_that_cannot_be_started_is_told(processes: TaskProcesses, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        processes.run(
            command_of(step_endings.succeed, tmp_path, "7"),
            environment={},
            directory=tmp_path / "nowhere",
            log=tmp_path / "log",
            uncancellable=False,
        )


def test_the_server_ends_when_whoever_started_it_does(server: Server, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    step = Step(step_endings.tidy_at_sigterm, tmp_path, task_processes(tmp_path, server), str(pid))
    wait_until(lambda: pid.exists() and pid.read_text())
    (child,) = server.processes._children
    assert child._process.stdin is not None
    child._process.stdin.close()
    # It stays for as long as a child of its own ends in order, and no longer.
    os.killpg(os.getpgid(int(pid.read_text())), 15)
    step.end()
    wait_until(lambda: process_table.start_time(server.pid) is None)


def test_a_server_may_lie_deeper_than_a_socket_s_address_is_long(tmp_path: Path) -> None:
    with running_fork_server("/".join(["deep" * 10] * 4)) as server:
        assert len(str(server.socket)) > 108
        step = Step(step_endings.succeed, tmp_path, task_processes(tmp_path, server), "words")
        assert step.end() == ProcessResult(0, "")
