"""The processes of a run's tasks. Each leads a process group, as a container's first process does, and writes to its
task's log."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.process import process_table
from localcloud.process.forked_process import ForkedProcess, fork
from localcloud.services.pipelines.first_process import has_init, terminate
from localcloud.services.pipelines.image_init import without_init
from localcloud.services.pipelines.warm_component import MODULE, component_arguments

# After these seconds a stopped run kills its remaining processes: the daemon gives its children 15 s to end.
_STOP_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_TAIL_BYTES = 64 * 1024
_CAUSE_CHARACTERS = 2000

_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:: |$)")


class TaskCancelledError(Exception):
    """The run was cancelled: this task's process was ended or never started."""


@dataclass(frozen=True)
class ProcessResult:
    returncode: int
    cause: str
    """The last exception that a failed process printed, else its last line; "" if it succeeded."""


class TaskProcesses:
    """Starts the processes of one run. The folder `records` names running ones, for `processes.end_orphans`."""

    def __init__(self, records: Path, grace_seconds: float, fork_server: Path) -> None:
        """`fork_server`: path of the socket of the server that forks Python components without packages to install."""
        self._records = records
        self._grace_seconds = grace_seconds
        self._fork_server = fork_server
        self._lock = threading.Lock()
        self._running: dict[int, bool] = {}  # process group → whether it is uncancellable
        self._inits: set[int] = set()  # process groups of commands that begin with their image's init
        self._cancelled = threading.Event()
        self._stopped = False

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def run(
        self, command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path, uncancellable: bool
    ) -> ProcessResult:
        """Runs `command`, waits for all processes that it starts, and appends their output to `log`.

        A task of the exit handler is `uncancellable`: it runs even after a cancellation.
        Raises TaskCancelledError, and OSError when the program cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            start = output.tell()
            process = self._start(command, environment, directory, output.fileno(), uncancellable)
        try:
            self._wait(process)
        finally:
            with self._lock:
                del self._running[process.pid]
                self._inits.discard(process.pid)
            self._record(process.pid).unlink(missing_ok=True)
        if self.cancelled and not uncancellable:
            raise TaskCancelledError
        returncode = process.returncode or 0
        if returncode < 0 and has_init(command):
            returncode = 128 - returncode  # the exit code of an init whose child a signal has ended
        return ProcessResult(returncode, _cause(log, start) if returncode else "")

    def cancel(self) -> None:
        """Sends SIGTERM to each first process, and SIGKILL to all after the grace. Starts no more cancellable tasks.

        The grace of Vertex AI is not documented: the 30 s of Kubernetes are an assumption.
        """
        with self._lock:
            if self.cancelled:
                return
            self._cancelled.set()
            groups = {group for group, uncancellable in self._running.items() if not uncancellable}
            for group in groups:
                terminate(group, has_init=group in self._inits)
        timer = threading.Timer(self._grace_seconds, self._kill, (groups,))
        timer.daemon = True
        timer.start()

    def stop(self) -> None:
        """Ends all processes of the run, which does not continue. Returns when they have ended."""
        with self._lock:
            self._stopped = True
            groups = set(self._running)
        _signal(groups, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_GRACE_SECONDS
        while any(process_table.group_members(group) for group in groups):
            if time.monotonic() > deadline:
                _signal(groups, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, output: int, uncancellable: bool
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        with self._lock:
            if self._stopped or (self.cancelled and not uncancellable):
                raise TaskCancelledError
            process = self._begin(command, environment, directory, output)
            self._running[process.pid] = uncancellable
            if has_init(command):
                self._inits.add(process.pid)
            started = process_table.start_time(process.pid)
            self._record(process.pid).write_text(json.dumps({"pid": process.pid, "start_time": started}))
        return process

    def _begin(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, output: int
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        component = component_arguments(command)
        if component is not None:
            return fork(
                self._fork_server, MODULE, component, environment=environment, directory=directory, output=output
            )
        return subprocess.Popen(
            without_init(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )

    def _wait(self, process: subprocess.Popen[bytes] | ForkedProcess) -> None:
        process.wait()
        # As in a container, the end of the first process ends all others.
        while process_table.group_members(process.pid):
            _signal({process.pid}, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    def _kill(self, groups: set[int]) -> None:
        with self._lock:
            still_running = groups & self._running.keys()
        _signal(still_running, signal.SIGKILL)

    def _record(self, pid: int) -> Path:
        return self._records / f"{pid}.json"


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):  # macOS refuses to signal a zombie
            continue


def _cause(log: Path, start: int) -> str:
    with log.open("rb") as output:
        end = output.seek(0, os.SEEK_END)
        output.seek(max(start, end - _LOG_TAIL_BYTES))
        text = output.read().decode(errors="replace")
    return failure_cause(text)


def failure_cause(text: str) -> str:
    """The failure in a process's output: the last exception with its message, else the last line."""
    lines = text.splitlines()
    starts = [index for index, line in enumerate(lines) if line.strip() == _TRACEBACK]
    for index in range(starts[-1] + 1 if starts else len(lines), len(lines)):
        if _EXCEPTION.match(lines[index]):
            return "\n".join(_paragraph(lines[index:]))[:_CAUSE_CHARACTERS]
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1][:_CAUSE_CHARACTERS] if spoken else ""


def _paragraph(lines: Sequence[str]) -> list[str]:
    end = next((index for index, line in enumerate(lines) if not line.strip()), len(lines))
    return list(lines[:end])
