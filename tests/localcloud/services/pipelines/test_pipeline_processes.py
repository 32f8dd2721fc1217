import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localcloud.process import process_table
from localcloud.process.processes import end_orphans
from localcloud.services.pipelines.task_process import ProcessResult, TaskCancelledError, TaskProcesses, failure_cause
from tests.waiting import PATIENCE_SECONDS, wait_until

# The programs of these tests are no Python components: nothing is forked.
NO_FORK_SERVER = Path("/nowhere/steps.socket")


def sleeper(path: Path, on_sigterm: str) -> str:
    """A program that writes its process id to `path` and then sleeps."""
    return (
        "import os, pathlib, signal, sys, time\n"
        f"path = pathlib.Path({str(path)!r})\n"
        "shell = os.getppid()\n"
        f"signal.signal(signal.SIGTERM, lambda *_: {on_sigterm})\n"
        "path.write_text(str(os.getpid()))\n"
        "while True: time.sleep(0.05)\n"
    )


class Task(threading.Thread):
    """`TaskProcesses.run` in a thread; how it ended is in `outcome`."""

    def __init__(
        self, processes: TaskProcesses, directory: Path, command: list[str], uncancellable: bool = False
    ) -> None:
        super().__init__(daemon=True)
        self.outcome: ProcessResult | TaskCancelledError | None = None
        self._run = lambda: processes.run(
            command,
            environment=dict(os.environ),
            directory=directory,
            log=directory / "task.log",
            uncancellable=uncancellable,
        )
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._run()
        except TaskCancelledError as cancelled:
            self.outcome = cancelled

    def end(self) -> ProcessResult | TaskCancelledError | None:
        self.join(PATIENCE_SECONDS)
        return self.outcome


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records"
    path.mkdir()
    return path


def test_what_a_task_prints_is_in_its_log_and_the_cause_of_a_failure_is_told(tmp_path: Path, records: Path) -> None:
    processes = TaskProcesses(records, fork_server=NO_FORK_SERVER, grace_seconds=30)
    failing = Task(processes, tmp_path, [sys.executable, "-c", "print('before'); raise KeyError('no such model')"])
    assert failing.end() == ProcessResult(1, "KeyError: 'no such model'")
    fine = Task(processes, tmp_path, [sys.executable, "-c", "print('after')"])
    assert fine.end() == ProcessResult(0, "")
    assert (tmp_path / "task.log").read_text().startswith("before\nTraceback")
    assert (tmp_path / "task.log").read_text().endswith("after\n")
    assert list(records.iterdir()) == []


def test_what_a_task_left_behind_ends_with_it(tmp_path: Path, records: Path) -> None:
    left = tmp_path / "left"
    script = '"$0" -c "$1" & while ! test -s "$2"; do sleep 0.02; done'
    command = ["sh", "-c", script, sys.executable, sleeper(left, "None"), str(left)]
    task = Task(TaskProcesses(records, fork_server=NO_FORK_SERVER, grace_seconds=30), tmp_path, command)
    assert task.end() == ProcessResult(0, "")
    assert process_table.start_time(int(left.read_text())) is None


WITH_A_SHELL = ["sh", "-ec", '"$0" -c "$1"\ntrue', sys.executable]
SHELL_MAKES_WAY = ["sh", "-ec", 'exec "$0" -c "$1"', sys.executable]
INIT = ["tini", "--"]


@pytest.mark.parametrize(
    ("start", "grace_seconds", "said"),
    [
        ([sys.executable, "-c"], 30, "tidy"),
        (SHELL_MAKES_WAY, 30, "tidy"),
        ([*INIT, *SHELL_MAKES_WAY], 30, "tidy"),
        # The shell dies of the signal, and with it the container.
        ([*INIT, *WITH_A_SHELL], 30, ""),
        # The kernel drops the signal: the shell is the first process, and has no handler.
        (WITH_A_SHELL, 0.5, ""),
    ],
)
def test_sigterm_reaches_the_first_process_alone(
    tmp_path: Path, records: Path, start: list[str], grace_seconds: float, said: str
) -> None:
    processes = TaskProcesses(records, grace_seconds, NO_FORK_SERVER)
    pid, last_words = tmp_path / "pid", tmp_path / "last-words"
    last_words.touch()
    tidying = f"(pathlib.Path({str(last_words)!r}).write_text('tidy'), sys.exit())"
    task = Task(processes, tmp_path, [*start, sleeper(pid, tidying)])
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.cancel()
    assert isinstance(task.end(), TaskCancelledError)
    assert last_words.read_text() == said
    assert process_table.start_time(int(pid.read_text())) is None


def test_a_task_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path, records: Path) -> None:
    processes = TaskProcesses(records, fork_server=NO_FORK_SERVER, grace_seconds=0.2)
    pid = tmp_path / "pid"
    task = Task(processes, tmp_path, [sys.executable, "-c", sleeper(pid, "None")])
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.cancel()
    assert isinstance(task.end(), TaskCancelledError)
    assert process_table.start_time(int(pid.read_text())) is None


def test_after_a_cancellation_only_the_exit_handler_is_started(tmp_path: Path, records: Path) -> None:
    processes = TaskProcesses(records, fork_server=NO_FORK_SERVER, grace_seconds=30)
    processes.cancel()
    touch = ["touch", str(tmp_path / "started")]
    assert isinstance(Task(processes, tmp_path, touch).end(), TaskCancelledError)
    assert not (tmp_path / "started").exists()
    assert Task(processes, tmp_path, touch, uncancellable=True).end() == ProcessResult(0, "")
    assert (tmp_path / "started").exists()


def test_a_stopped_run_leaves_nothing_and_starts_nothing(tmp_path: Path, records: Path) -> None:
    processes = TaskProcesses(records, fork_server=NO_FORK_SERVER, grace_seconds=30)
    pid = tmp_path / "pid"
    exit_task = Task(processes, tmp_path, [sys.executable, "-c", sleeper(pid, "sys.exit(3)")], uncancellable=True)
    wait_until(lambda: pid.exists() and pid.read_text())
    processes.stop()
    assert process_table.start_time(int(pid.read_text())) is None
    assert exit_task.end() is not None
    assert isinstance(Task(processes, tmp_path, ["true"], uncancellable=True).end(), TaskCancelledError)


def test_a_killed_runners_tasks_are_found_by_their_records(tmp_path: Path, records: Path) -> None:
    pid = tmp_path / "pid"
    runner = (
        "import os, pathlib, sys\n"
        "from localcloud.services.pipelines.task_process import TaskProcesses\n"
        f"processes = TaskProcesses(pathlib.Path({str(records)!r}), 30, pathlib.Path({str(NO_FORK_SERVER)!r}))\n"
        f"processes.run([sys.executable, '-c', {sleeper(pid, 'None')!r}], environment=dict(os.environ),\n"
        f"    directory=pathlib.Path('/'), log=pathlib.Path({str(tmp_path)!r}) / 'log', uncancellable=False)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", runner])
    wait_until(lambda: pid.exists() and pid.read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process_table.start_time(int(pid.read_text())) is not None
    end_orphans(records, grace_seconds=0)
    assert process_table.start_time(int(pid.read_text())) is None


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("", ""),
        ("starting\nsh: 1: nonsense: not found\n\n", "sh: 1: nonsense: not found"),
        (
            "Traceback (most recent call last):\n  File 'a', line 1, in f\n    g()\nValueError: bad\n\n"
            "During handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n  File 'a', line 3, in f\n    ^^^\n"
            "vertex_vllm.errors.GatedRepoError: no access\nfix: accept the licence\n\nsome noise at exit\n",
            "vertex_vllm.errors.GatedRepoError: no access\nfix: accept the licence",
        ),
        ("Traceback (most recent call last):\n  File 'a', line 1\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        ("Traceback (most recent call last):\n  File 'a', line 1", "File 'a', line 1"),
    ],
)
def test_the_cause_is_the_last_exception_else_the_last_line(output: str, cause: str) -> None:
    assert failure_cause(output) == cause
