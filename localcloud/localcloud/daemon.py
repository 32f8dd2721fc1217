"""The local cloud as a background process: `up`, `down`, `status`. Importing this is quick; serving is not."""

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from localcloud.client import Connection, DaemonError, RefusedError
from localcloud.core import environment
from localcloud.core.additions import Additions
from localcloud.core.ports import choose_ports
from localcloud.core.state_directory import ForeignStateError, StateDirectory
from localcloud.process import process_table
from localcloud.process.large_imports import kept_objects
from localcloud.process.processes import end_orphans

__all__ = ["Additions", "Connection", "DaemonError", "RefusedError", "down", "plan", "status", "up"]

DEFAULT_PROJECT = "local-project"
DEFAULT_REGION = "us-central1"

# Seconds. Importing the client packages takes three seconds on an idle machine, and many times that on a busy one.
_START_SECONDS = 120.0
# Seconds; more than pipelines, operations and containers take to end, one after the other, each with its own grace.
_STOP_SECONDS = 120.0
_POLL_SECONDS = 0.02
# Attempts, because a port may be taken between its choice and its use, mostly by another local cloud that starts.
_STARTS = 3
_PORT_TAKEN = os.EX_TEMPFAIL

# Kept so that a daemon started from this process is reaped when it ends.
_STARTED: dict[int, "subprocess.Popen[bytes]"] = {}


def plan(state_dir: Path, *, project: str = DEFAULT_PROJECT, region: str = DEFAULT_REGION) -> dict[str, str]:
    """The environment that the daemon on `state_dir` will have, before it is started.

    For a process whose Google clients read the environment when they are imported. The daemon uses the ports chosen
    here unless another process takes one first.
    """
    running = status(state_dir)
    if running is not None:
        return running.environment
    state = _own_state(state_dir)
    state.create()
    return environment.variables(state, choose_ports(state.last_ports), project=project, region=region)


def up(
    state_dir: Path,
    *,
    project: str = DEFAULT_PROJECT,
    region: str = DEFAULT_REGION,
    lifeline: bool = False,
    additions: Additions | None = None,
    enforces_permissions: bool = True,
) -> Connection:
    """Starts the daemon, or finds it running; returns when every port answers.

    Three arguments apply only to a daemon that is started now. `lifeline`: it ends when this process does, however
    this process ends. `additions`: programs and modules from outside of this package. `enforces_permissions`: False
    allows every call. Raises DaemonError when the daemon ends instead of starting, or when one is running for
    another project or region.
    """
    running = status(state_dir)
    if running is None:
        options = ["--lifeline"] if lifeline else []
        options += [] if enforces_permissions else ["--no-permissions"]
        state = _own_state(state_dir)
        running = _start_and_wait(state, project, region, options, additions or Additions(), lifeline=lifeline)
    if (running.project, running.region) != (project, region):
        raise DaemonError(
            f"a local cloud is running on {running.state_dir} for project {running.project} in {running.region}. "
            "Bring it down first, or use another state directory."
        )
    return running


def status(state_dir: Path) -> Connection | None:
    """The running daemon's connection; None when there is none, or it is not ready."""
    state = _own_state(state_dir)
    running = _daemon(state)
    try:
        ready = json.loads(state.ready.read_text())
    except FileNotFoundError:
        return None
    return Connection(state_dir=state.root, **ready) if running is not None and ready["pid"] == running[0] else None


def down(state_dir: Path) -> bool:
    """Ends the daemon and everything it started, and waits for that; returns False when no daemon was running.

    Processes that a killed daemon left behind are ended, too. Raises DaemonError when something cannot be ended.
    """
    state = _own_state(state_dir)
    running = _daemon(state)
    if running is not None:
        _end(state, *running)
    end_orphans(state.children)
    for left in (state.ready, state.access_token, state.pid):
        left.unlink(missing_ok=True)
    shutil.rmtree(state.access_tokens, ignore_errors=True)
    return running is not None


def _own_state(state_dir: Path) -> StateDirectory:
    """The state directory. Raises DaemonError for a folder of another user, before any file in it is read."""
    state = StateDirectory(state_dir)
    try:
        state.require_own()
    except ForeignStateError as error:
        raise DaemonError(str(error)) from None
    return state


def _start_and_wait(
    state: StateDirectory, project: str, region: str, options: Sequence[str], additions: Additions, *, lifeline: bool
) -> Connection:
    for starts_left in reversed(range(_STARTS)):
        daemon = _start(state, project, region, options, additions, lifeline=lifeline)
        try:
            return _wait_until_ready(state, daemon)
        except BaseException as error:  # Ctrl-C, too: nothing else would end the daemon
            daemon.terminate()
            again = isinstance(error, DaemonError) and daemon.wait() == _PORT_TAKEN and starts_left > 0
            daemon.wait()
            _forget(daemon.pid)
            if not again:
                raise
    raise AssertionError("the last start returns or raises")


def _start(
    state: StateDirectory, project: str, region: str, options: Sequence[str], additions: Additions, *, lifeline: bool
) -> "subprocess.Popen[bytes]":
    state.create()
    command = [sys.executable, "-P", "-m", "localcloud.daemon", "--state-dir", str(state.root)]
    command += ["--project", project, "--region", region, *options]
    command += [f"--images={file.resolve()}" for file in additions.images]
    command += [f"--warm-module={name}" for name in additions.warm_modules]
    # The daemon and its children must find the packages in the same folders as this process.
    folders = dict.fromkeys([Path(__file__).resolve().parents[1], *additions.import_path])
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    with state.daemon_log.open("ab") as log:
        daemon = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=state.root,
            env={**os.environ, "PYTHONPATH": path},
        )
    _STARTED[daemon.pid] = daemon
    return daemon


def _wait_until_ready(state: StateDirectory, daemon: "subprocess.Popen[bytes]") -> Connection:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        connection = status(state.root)
        if connection is not None:
            return connection
        # This daemon may have lost against one that another process started at the same time, which serves as well.
        if daemon.poll() is not None and _daemon(state) is None:
            break
        time.sleep(_POLL_SECONDS)
    raise DaemonError(f"the local cloud did not start. The end of {state.daemon_log}:\n{_tail(state.daemon_log)}")


def _daemon(state: StateDirectory) -> tuple[int, str] | None:
    """The daemon's pid and start time; None when the process that wrote the pid file has ended, even if another process
    has its pid now."""
    try:
        written = json.loads(state.pid.read_text())
    except FileNotFoundError:
        return None
    pid, started = int(written["pid"]), str(written["start_time"])
    return (pid, started) if process_table.start_time(pid) == started else None


def _end(state: StateDirectory, pid: int, started: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait_until_gone(pid, started):
            return
    raise DaemonError(f"the local cloud's process {pid} does not end. Look into {state.daemon_log}")


def _wait_until_gone(pid: int, started: str) -> bool:
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if pid in _STARTED:
            _STARTED[pid].poll()
        if process_table.start_time(pid) != started:
            _forget(pid)
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _forget(pid: int) -> None:
    daemon = _STARTED.pop(pid, None)
    if daemon is not None and daemon.stdin is not None:
        daemon.stdin.close()


def _tail(file: Path, lines: int = 30) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m localcloud.daemon", description="Serve a local Google Cloud.")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--project", default=DEFAULT_PROJECT)
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument("--lifeline", action="store_true", help="end when stdin does")
    parser.add_argument("--images", type=Path, action="append", default=[], help="rows of programs for images")
    parser.add_argument("--warm-module", action="append", default=[], help="import it once for all pipeline steps")
    parser.add_argument("--no-permissions", action="store_true", help="do not enforce IAM")
    arguments = parser.parse_args()
    with kept_objects():
        from localcloud import server
    try:
        server.serve(
            arguments.state_dir,
            project=arguments.project,
            region=arguments.region,
            lifeline=arguments.lifeline,
            additions=Additions(tuple(arguments.images), tuple(arguments.warm_module)),
            enforces_permissions=not arguments.no_permissions,
        )
    except server.AlreadyRunningError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        traceback.print_exc()
        return _PORT_TAKEN
    return 0


if __name__ == "__main__":
    from localcloud.process.main_program import end_process

    end_process(main())
