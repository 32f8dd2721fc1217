"""The local cloud as a background process: `up`, `down`, `status`. Importing this is quick; serving is not."""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from localcloud import environment, process_table
from localcloud.ports import choose_ports
from localcloud.processes import end_orphans
from localcloud.state import StateDirectory

DEFAULT_PROJECT = "local-project"
DEFAULT_REGION = "us-central1"

# Importing the client packages takes three seconds on an idle machine, and many times that on a busy one.
_START_SECONDS = 120.0
# More than pipelines, operations and containers may take, one after the other, each with a grace of its own.
_STOP_SECONDS = 120.0
_POLL_SECONDS = 0.02
_ADMIN_SECONDS = 60.0

# Kept so that a daemon started from this process is reaped when it ends.
_STARTED: dict[int, "subprocess.Popen[bytes]"] = {}


class DaemonError(Exception):
    """The daemon did not start, did not stop, or is another one than was asked for; the message says what to do."""


class RefusedError(DaemonError):
    """The daemon does not take what it was asked; `reason` says why, in its own words."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.reason = answer
        with suppress(ValueError, KeyError, TypeError):
            self.reason = str(json.loads(answer)["error"]["message"])


@dataclass(frozen=True)
class Connection:
    """A running local cloud."""

    state_dir: Path
    pid: int
    project: str
    region: str
    admin_url: str
    admin_key: str
    """Bearer token that the admin address and Kubeflow Pipelines ask for."""
    environment: dict[str, str]
    """What a client's environment must be updated with."""

    def admin(self, verb: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """Asks the daemon what no Google API can: `admin("PUT", "/_local/quotas", {…})`.

        Raises RefusedError for what it does not take.
        """
        connection = http.client.HTTPConnection(self.admin_url.removeprefix("http://"), timeout=_ADMIN_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {self.admin_key}"}
            connection.request(verb, path, json.dumps(fields) if fields is not None else None, headers)
            response = connection.getresponse()
            answer = response.read().decode()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise RefusedError(f"{verb} {path} was refused: {answer}", answer)
        content: dict[str, Any] = json.loads(answer)
        return content

    def switch_user(self, account: str = "") -> None:
        """From now on the default credential is that of `account`, an email address; "" = the owner of all projects.

        Clients that hold a token already go on with it. Raises RefusedError for a service account that does not exist.
        """
        self.admin("PUT", "/_local/user", {"member": account})

    @contextmanager
    def user(self, account: str) -> Iterator[None]:
        """Clients that are made inside are `account`'s."""
        self.switch_user(account)
        try:
            yield
        finally:
            self.switch_user()

    def access_token(self, account: str) -> str:
        """The token that `account`, an email address, calls with."""
        return str(self._credentials(account)["access_token"])

    def refresh_token(self, account: str) -> str:
        """The refresh token of an `authorized_user` file of `account`: clients exchange it for access tokens."""
        return str(self._credentials(account)["refresh_token"])

    def environment_of(self, account: str) -> dict[str, str]:
        """`environment`, with the credential of `account`: for a process that is to be that account."""
        variables: dict[str, str] = self._credentials(account)["environment"]
        return variables

    def _credentials(self, account: str) -> dict[str, Any]:
        return self.admin("GET", f"/_local/credentials?{urlencode({'member': account})}")

    def add_fault(self, **fields: Any) -> int:
        """Posts a fault: `add_fault(service="storage", method="PUT", kind="error", status=503, times=2)`.

        Returns its number. Raises RefusedError for what is no fault (docs/local-cloud.md).
        """
        return int(self.admin("PUT", "/_local/faults", fields)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Those posted since they were last cleared, each with how many calls it `met`, `struck` and is `striking`."""
        posted: list[dict[str, Any]] = self.admin("GET", "/_local/faults")["faults"]
        return posted

    def part_requests(self, bucket: str, name: str) -> list[dict[str, Any]]:
        """Every request with a part of a multipart upload to this object, also those that failed.

        Each has `upload_id`, `number`, `size` (bytes that arrived), `stored` (whether it became the part), and the
        times `began` and `ended`.
        """
        query = urlencode({"bucket": bucket, "object": name})
        parts: list[dict[str, Any]] = self.admin("GET", f"/_local/storage/parts?{query}")["parts"]
        return parts

    def clear_faults(self) -> None:
        self.admin("DELETE", "/_local/faults")


def plan(state_dir: Path, *, project: str = DEFAULT_PROJECT, region: str = DEFAULT_REGION) -> dict[str, str]:
    """The environment that the daemon on `state_dir` will have, before it is started.

    For a process whose Google clients read the environment when they are imported. The daemon uses the ports chosen
    here unless somebody takes one first.
    """
    running = status(state_dir)
    if running is not None:
        return running.environment
    state = StateDirectory(state_dir)
    state.create()
    return environment.variables(state, choose_ports(state.last_ports), project=project, region=region)


def up(
    state_dir: Path,
    *,
    project: str = DEFAULT_PROJECT,
    region: str = DEFAULT_REGION,
    lifeline: bool = False,
    warm_modules: Sequence[str] = (),
    enforces_permissions: bool = True,
) -> Connection:
    """Starts the daemon, or finds it running; returns when every port answers.

    `lifeline`: a daemon that is started now ends by itself when this process does, however that ends. `warm_modules`:
    modules that a daemon which is started now imports once, besides kfp's, for all pipeline steps that it forks.
    `enforces_permissions`: False lets everybody do everything in a daemon that is started now. Raises DaemonError when
    the daemon ends instead of starting, or runs for another project or region.
    """
    running = status(state_dir)
    if running is None:
        options = [f"--warm-module={name}" for name in warm_modules]
        options += ["--lifeline"] if lifeline else []
        options += [] if enforces_permissions else ["--no-permissions"]
        running = _start_and_wait(StateDirectory(state_dir), project, region, options, lifeline=lifeline)
    if (running.project, running.region) != (project, region):
        raise DaemonError(
            f"a local cloud is running on {running.state_dir} for project {running.project} in {running.region}. "
            "Bring it down first, or use another state directory."
        )
    return running


def status(state_dir: Path) -> Connection | None:
    """The running daemon's connection; None when there is none, or it is not ready."""
    state = StateDirectory(state_dir)
    running = _daemon(state)
    try:
        ready = json.loads(state.ready.read_text())
    except FileNotFoundError:
        return None
    return Connection(state_dir=state.root, **ready) if running is not None and ready["pid"] == running[0] else None


def down(state_dir: Path) -> bool:
    """Ends the daemon and everything it started, and waits for that; False when none was running.

    What a killed daemon left behind is ended, too. Raises DaemonError when something cannot be ended.
    """
    state = StateDirectory(state_dir)
    running = _daemon(state)
    if running is not None:
        _end(state, *running)
    end_orphans(state.children)
    for left in (state.ready, state.access_token, state.pid):
        left.unlink(missing_ok=True)
    shutil.rmtree(state.access_tokens, ignore_errors=True)
    return running is not None


def _start_and_wait(
    state: StateDirectory, project: str, region: str, options: Sequence[str], *, lifeline: bool
) -> Connection:
    daemon = _start(state, project, region, options, lifeline=lifeline)
    try:
        return _wait_until_ready(state, daemon)
    except BaseException:  # Ctrl-C, too: nobody else knows of it yet
        daemon.terminate()
        daemon.wait()
        _forget(daemon.pid)
        raise


def _start(
    state: StateDirectory, project: str, region: str, options: Sequence[str], *, lifeline: bool
) -> "subprocess.Popen[bytes]":
    state.create()
    command = [sys.executable, "-P", "-m", "localcloud.daemon", "--state-dir", str(state.root)]
    command += ["--project", project, "--region", region, *options]
    # However this process found the package, the daemon and its children must find it, too.
    package_root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
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
        # Ours may have lost against one that somebody else started at the same time: that one will do.
        if daemon.poll() is not None and _daemon(state) is None:
            break
        time.sleep(_POLL_SECONDS)
    raise DaemonError(f"the local cloud did not start. The end of {state.daemon_log}:\n{_tail(state.daemon_log)}")


def _daemon(state: StateDirectory) -> tuple[int, str] | None:
    """Its pid and start; None when the process that wrote the pid file is gone, whoever has its number now."""
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
    parser.add_argument("--warm-module", action="append", default=[], help="import it once for all pipeline steps")
    parser.add_argument("--no-permissions", action="store_true", help="do not enforce IAM")
    arguments = parser.parse_args()
    from localcloud import server

    try:
        server.serve(
            arguments.state_dir,
            project=arguments.project,
            region=arguments.region,
            lifeline=arguments.lifeline,
            warm_modules=arguments.warm_module,
            enforces_permissions=not arguments.no_permissions,
        )
    except server.AlreadyRunningError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    from localcloud.warm.main_program import end_process

    end_process(main())
