"""Children of the daemon: each leads a process group of its own, and holds a lifeline to the daemon.

The lifeline is the child's stdin: a pipe whose other end only the daemon has. However the daemon ends, the child reads
EOF there (`watch_lifeline`) and ends itself. The next daemon, or `down`, ends children that do not, by the records of
all children.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localcloud.process import process_table
from localcloud.process.forked_process import ForkedProcess, fork

_LOG = logging.getLogger(__name__)

# A model server needs some seconds to end its own processes.
STOP_SECONDS = 15.0
_KILL_SECONDS = 5.0


class Child:
    """A process started by `Processes.spawn`, and everything in its process group."""

    def __init__(
        self, process: subprocess.Popen[bytes] | ForkedProcess, record: Path, on_exit: Callable[[int], None] | None
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._record = record
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._reap, name=f"reap {self.pid}", daemon=True).start()

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._process.returncode if self._ended.is_set() else None

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """The return code once the whole group has ended; None if it has not after `timeout_seconds`."""
        self._ended.wait(timeout_seconds)
        return self.returncode

    def terminate(self) -> None:
        """Sends SIGTERM to the leader, which ends its own children in the right order."""
        with self._lock:
            if self._process.returncode is None:
                os.kill(self.pid, signal.SIGTERM)

    def stop(self, grace_seconds: float = STOP_SECONDS) -> int:
        """Sends SIGTERM, and SIGKILL to the whole group after `grace_seconds`; returns when the group has ended."""
        self.terminate()
        if self.wait(grace_seconds) is None:
            _LOG.warning("process %d did not end within %.0f s; killing its group", self.pid, grace_seconds)
            with self._lock:
                if self._process.returncode is None:
                    os.killpg(self.pid, signal.SIGKILL)
            self._ended.wait()
        assert self._process.returncode is not None
        return self._process.returncode

    def _reap(self) -> None:
        _wait_without_reaping(self._process)
        with self._lock:
            # The leader is still a zombie, so its pid cannot belong to another process.
            _kill_group(self.pid)
            returncode = self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._record.unlink(missing_ok=True)
        self._ended.set()
        if self._on_exit is not None:
            try:
                self._on_exit(returncode)
            except Exception:
                _LOG.exception("the exit callback of process %d failed", self.pid)


class Processes:
    """All children of one daemon. `directory` holds a record of each while it runs."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._closed = False

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        on_exit: Callable[[int], None] | None = None,
        fork_server: Path | None = None,
    ) -> Child:
        """Starts `argv` with exactly `environment`; stdout and stderr are appended to `log`.

        `fork_server`: socket of the server that forks it, if `argv` is `INTERPRETER -P -m MODULE …`.
        `on_exit` is called with the return code, in a thread, when the child's group has ended.
        Raises RuntimeError once the daemon is stopping, OSError when the program cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, log.open("ab") as output:
            if self._closed:
                raise RuntimeError("the local cloud is stopping: no process is started any more")
            process = _start(argv, output.fileno(), environment, fork_server)
            record = self._directory / f"{process.pid}.json"
            record.write_text(json.dumps({"pid": process.pid, "start_time": process_table.start_time(process.pid)}))
            child = Child(process, record, on_exit)
            self._children = [other for other in self._children if other.returncode is None] + [child]
        return child

    def stop_all(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Stops all children at the same time; later starts are refused."""
        with self._lock:
            self._closed = True
            children = list(self._children)
        stopping = [threading.Thread(target=child.stop, args=(grace_seconds,)) for child in children]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()


def end_orphans(directory: Path, grace_seconds: float = STOP_SECONDS) -> None:
    """Ends the children that a killed daemon left: SIGKILL if they have not ended after `grace_seconds`."""
    deadline = time.monotonic() + grace_seconds
    for record in directory.glob("*.json") if directory.is_dir() else ():
        pid, started = _read_record(record)
        while started is not None and process_table.start_time(pid) == started:
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.05)
        record.unlink(missing_ok=True)


def watch_lifeline(on_end: Callable[[], object]) -> None:
    """For a child: calls `on_end`, in a thread, when the daemon at the other end of stdin has ended."""

    def read_to_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        on_end()

    threading.Thread(target=read_to_end, name="lifeline", daemon=True).start()


def _read_record(record: Path) -> tuple[int, str | None]:
    try:
        fields = json.loads(record.read_text())
    except json.JSONDecodeError:  # the daemon was killed while it wrote
        return 0, None
    return int(fields["pid"]), fields["start_time"]


def _start(
    argv: Sequence[str], output: int, environment: Mapping[str, str], fork_server: Path | None
) -> subprocess.Popen[bytes] | ForkedProcess:
    if fork_server is not None:
        module, *arguments = argv[3:]
        return fork(
            fork_server,
            module,
            arguments,
            environment=environment,
            directory=Path.cwd(),
            output=output,
            lifeline=True,
        )
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
    )


def _wait_without_reaping(process: subprocess.Popen[bytes] | ForkedProcess) -> None:
    if isinstance(process, ForkedProcess):
        process.wait_for_end()
        return
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        return
    while process_table.start_time(process.pid) is not None:
        time.sleep(0.1)


def _kill_group(group: int) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while process_table.group_members(group) and time.monotonic() < deadline:
        os.killpg(group, signal.SIGKILL)
        time.sleep(0.01)
