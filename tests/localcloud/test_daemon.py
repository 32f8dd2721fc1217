"""The daemon's life: up, down, killed, started twice; with a state directory of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import daemon
from localcloud.daemon import Connection, DaemonError
from localcloud.process import process_table
from tests.waiting import wait_until_gone


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    daemon.down(tmp_path / "state")


# A client of its own process: the environment of this one leads to the session's cloud.
_CLIENT = """
import sys
from google.api_core import exceptions
from google.cloud import secretmanager
client, action = secretmanager.SecretManagerServiceClient(), sys.argv[1]
if action == "write":
    secret = client.create_secret(parent="projects/p", secret_id="s", secret={"replication": {"automatic": {}}})
    client.add_secret_version(parent=secret.name, payload={"data": b"kept"})
print(client.access_secret_version(name="projects/p/secrets/s/versions/latest").payload.data.decode())
"""


def _client(connection: Connection, action: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _CLIENT, action],
        env={**os.environ, **connection.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_state_and_environment_survive_down_and_up_and_a_kill(state_dir: Path) -> None:
    planned = daemon.plan(state_dir)
    first = daemon.up(state_dir)
    assert first.environment == planned
    assert (state_dir / "run/access-token").stat().st_mode & 0o077 == 0
    assert _client(first, "write") == "kept"
    authority = (state_dir / "ca/certificate.pem").read_bytes()
    _a_second_up_finds(first)

    assert daemon.down(state_dir) is True
    assert process_table.start_time(first.pid) is None
    assert sorted(path.name for path in (state_dir / "run").iterdir()) == ["children", "lock"]
    assert daemon.status(state_dir) is None
    assert daemon.down(state_dir) is False

    second = daemon.up(state_dir)
    # A shell that has the old environment is still right.
    assert second.environment == first.environment
    assert (state_dir / "ca/certificate.pem").read_bytes() == authority
    assert _client(second, "read") == "kept"

    os.kill(second.pid, signal.SIGKILL)
    wait_until_gone([second.pid])
    assert daemon.status(state_dir) is None
    third = daemon.up(state_dir)
    assert third.pid != second.pid
    assert _client(third, "read") == "kept"


def _a_second_up_finds(first: Connection) -> None:
    assert daemon.up(first.state_dir) == first
    assert daemon.status(first.state_dir) == first
    with pytest.raises(DaemonError, match="for project local-project in us-central1"):
        daemon.up(first.state_dir, project="another")
    foreground = subprocess.run(
        [sys.executable, "-m", "localcloud.daemon", "--state-dir", str(first.state_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert foreground.returncode == 1
    assert "is running on" in foreground.stderr
    assert daemon.status(first.state_dir) == first


def test_a_stale_pid_file_kills_no_stranger(state_dir: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    try:
        daemon.plan(state_dir)
        stale = json.dumps({"pid": stranger.pid, "start_time": "another boot:1"})
        (state_dir / "run/daemon.pid.json").write_text(stale)
        assert daemon.status(state_dir) is None
        assert daemon.down(state_dir) is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_daemon_that_cannot_start_says_why(state_dir: Path) -> None:
    daemon.plan(state_dir)
    (state_dir / "store.db").write_bytes(b"this is no database at all, and sqlite says so" * 100)
    with pytest.raises(DaemonError, match="file is not a database"):
        daemon.up(state_dir)


# The daemon's Python runs this at its start: the first daemon loses its chosen port to another listener.
LOSES_A_PORT = """
import pathlib, socket
from localcloud.core import ports

marker, choose = pathlib.Path(__file__).with_name("lost"), ports.choose_ports


def choose_and_lose(file):
    chosen = choose(file)
    ports.other_listener = socket.create_server(("127.0.0.1", chosen.hub))
    return chosen


if not marker.exists():
    marker.touch()
    ports.choose_ports = choose_and_lose
"""


@pytest.mark.slow
def test_a_port_that_another_process_takes_meanwhile_is_replaced(state_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LOSES_A_PORT)
    connection = daemon.up(state_dir, additions=daemon.Additions(import_path=(tmp_path,)))
    assert (tmp_path / "lost").exists()
    assert daemon.status(state_dir) == connection


_OWNER = """
import sys
from pathlib import Path
from localcloud import daemon
print(daemon.up(Path(sys.argv[1]), lifeline=True).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_token_is_good_when_the_daemon_that_gave_it_is_gone(state_dir: Path) -> None:
    """An access token stays valid after the local cloud has crashed and started again, as on Google Cloud."""
    daemon.up(state_dir)
    token = (state_dir / "run/access-token").read_text()
    daemon.down(state_dir)
    daemon.up(state_dir)
    assert (state_dir / "run/access-token").read_text() == token
    assert (state_dir / "token").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_with_a_lifeline_it_ends_with_its_owner(state_dir: Path, number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(state_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.send_signal(number)
    owner.communicate()
    wait_until_gone([pid])
