"""A step that is forked from a warm process ends as one that is started anew: tested once cold and once warm."""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud import process_table
from localcloud.pipelines.task_process import ProcessResult, TaskCancelledError, TaskProcesses
from localcloud.processes import Processes
from localcloud.warm.component import component_arguments
from tests.localcloud.pipelines.compiling import compiled, compiled_with_init
from tests.localcloud.warm import components
from tests.waiting import PATIENCE_SECONDS, wait_until

MODULE = "kfp.dsl.executor"


@dataclass
class Server:
    socket: Path
    processes: Processes
    pid: int


@pytest.fixture
def server() -> Iterator[Server]:
    # Not pytest's folder: a socket's path may have some hundred characters at most.
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        processes = Processes(Path(folder) / "children")
        socket = Path(folder) / "steps.socket"
        argv = [sys.executable, "-P", "-m", "localcloud.warm.server", "--socket", str(socket), "--import", MODULE]
        environment = {**os.environ, "_KFP_RUNTIME": "true", "HOME": "/nowhere"}
        child = processes.spawn(argv, log=Path(folder) / "log", environment=environment)
        yield Server(socket, processes, child.pid)
        processes.stop_all(1.0)


@pytest.fixture(params=["cold", "warm"])
def fork_server(request: pytest.FixtureRequest) -> Path | None:
    return request.getfixturevalue("server").socket if request.param == "warm" else None


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
        try:
            self.outcome.append(
                self.processes.run(
                    command_of(self.component, self.folder, self.text, init=self.init),
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
def processes(tmp_path: Path, fork_server: Path | None) -> TaskProcesses:
    records = tmp_path / "records"
    records.mkdir()
    return TaskProcesses(records, grace_seconds=2, fork_server=fork_server)


@pytest.mark.parametrize(
    ("component", "text", "result"),
    [
        (components.succeed, "7", ProcessResult(0, "")),
        (components.fail, "no such model", ProcessResult(1, "KeyError: 'no such model'")),
        (components.leave, "3", ProcessResult(3, "last words")),
        (components.leave, "143", ProcessResult(143, "last words")),
    ],
    ids=["succeeds", "fails", "exits", "exits as if stopped"],
)
def test_it_ends_with_the_same_code_and_cause(
    processes: TaskProcesses, tmp_path: Path, component: Any, text: str, result: ProcessResult
) -> None:
    assert Step(component, tmp_path, processes, text).end() == result
    assert list((tmp_path / "records").iterdir()) == []


def test_one_that_is_killed_says_so(processes: TaskProcesses, tmp_path: Path) -> None:
    outcome = Step(components.kill_itself, tmp_path, processes).end()
    assert isinstance(outcome, ProcessResult)
    assert outcome.returncode == 137


def test_what_it_prints_is_in_its_log_and_what_it_returns_in_its_output(
    processes: TaskProcesses, tmp_path: Path
) -> None:
    step = Step(components.succeed, tmp_path, processes, "words")
    assert step.end() == ProcessResult(0, "")
    assert "said words\n" in step.log
    assert step.output == "words"


def test_its_surroundings_are_its_own(processes: TaskProcesses, tmp_path: Path) -> None:
    step = Step(components.surroundings, tmp_path, processes)
    assert step.end() == ProcessResult(0, ""), step.log
    found = step.output
    environment = found.pop("environment")
    shells = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}  # What a shell and an interpreter add.
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


def test_cancelled_it_may_put_things_in_order(processes: TaskProcesses, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    step = Step(components.tidy_at_sigterm, tmp_path, processes, str(pid), init=True)
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.cancel()
    assert isinstance(step.end(), TaskCancelledError)
    assert pid.with_suffix(".tidy").read_text() == "tidy"


def test_one_that_ignores_sigterm_is_killed_after_the_grace(processes: TaskProcesses, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    step = Step(components.ignore_sigterm, tmp_path, processes, str(pid))
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.cancel()
    assert isinstance(step.end(), TaskCancelledError)
    assert process_table.start_time(int(pid.read_text())) is None


def test_what_it_left_behind_ends_with_it(processes: TaskProcesses, tmp_path: Path) -> None:
    left = tmp_path / "left"
    assert Step(components.leave_a_child, tmp_path, processes, str(left)).end() == ProcessResult(0, "")
    assert process_table.start_time(int(left.read_text())) is None


def test_steps_that_run_at_the_same_time_do_not_disturb_each_other(processes: TaskProcesses, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    steps = [Step(components.succeed, folder, processes, folder.name) for folder in folders]
    assert [step.end() for step in steps] == [ProcessResult(0, "")] * 3
    assert [step.output for step in steps] == ["0", "1", "2"]


def test_what_is_no_python_component_is_started_anew(server: Server, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    processes = TaskProcesses(records, grace_seconds=2, fork_server=server.socket)
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
    records, pid = tmp_path / "records", tmp_path / "pid"
    records.mkdir()
    step = Step(
        components.ignore_sigterm,
        tmp_path,
        TaskProcesses(records, grace_seconds=2, fork_server=server.socket),
        str(pid),
    )
    wait_until(lambda: pid.exists() and pid.read_text())
    os.kill(server.pid, 9)
    outcome = step.end()
    assert isinstance(outcome, ProcessResult)
    assert outcome.returncode == -9
    wait_until(lambda: process_table.start_time(int(pid.read_text())) is None)


def test_a_program_that_cannot_be_started_is_told(server: Server, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    processes = TaskProcesses(records, grace_seconds=2, fork_server=server.socket)
    with pytest.raises(OSError, match="nowhere"):
        processes.run(
            command_of(components.succeed, tmp_path, "7"),
            environment={},
            directory=tmp_path / "nowhere",
            log=tmp_path / "log",
            uncancellable=False,
        )


def test_the_server_ends_when_whoever_started_it_does(server: Server, tmp_path: Path) -> None:
    records, pid = tmp_path / "records", tmp_path / "pid"
    records.mkdir()
    step = Step(
        components.tidy_at_sigterm,
        tmp_path,
        TaskProcesses(records, grace_seconds=2, fork_server=server.socket),
        str(pid),
    )
    wait_until(lambda: pid.exists() and pid.read_text())
    (child,) = server.processes._children
    assert child._process.stdin is not None
    child._process.stdin.close()
    # It stays for as long as a child of its own ends in order, and no longer.
    os.kill(int(pid.read_text()), 15)
    step.end()
    wait_until(lambda: process_table.start_time(server.pid) is None)
