import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vertex_vllm.local.container.workspace import workspace

_HOLD = """
from vertex_vllm.local.container.workspace import workspace
with workspace() as path:
    print(path, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def parent(monkeypatch):
    """The temporary folder, with a short path."""
    with tempfile.TemporaryDirectory(prefix="w-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_a_workspace_is_gone_when_its_container_is(parent):
    with workspace() as directory:
        (directory / "weights").mkdir()
        assert list(parent.iterdir()) == [directory]
    assert list(parent.iterdir()) == []


def test_a_workspace_has_room_for_the_names_of_unix_sockets(tmp_path, monkeypatch):
    long = tmp_path / ("d" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with workspace() as directory, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / str(uuid.uuid4())))


def test_what_a_killed_container_left_is_removed_and_what_a_living_one_has_is_not(parent):
    killed, living = (_hold() for _ in range(2))
    try:
        killed_path, living_path = (os.path.basename(holder.stdout.readline().strip()) for holder in (killed, living))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with workspace() as own:
            assert {path.name for path in parent.iterdir()} == {living_path, own.name}
        assert killed_path != living_path
    finally:
        for holder in (killed, living):
            holder.kill()
            holder.communicate()


def test_containers_that_start_at_once_keep_their_workspaces(parent):
    """A start removes the workspaces of killed containers, but not a new one that is not locked yet."""

    def start(_):
        with workspace() as directory:
            together.wait()
            kept = (directory / "in-use").exists()
            together.wait()
            return kept

    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(start, range(8 * 40)))


def _hold() -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
