"""Workers and the parent that they are forked from."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from localcloud.process.process_table import group_members, start_time
from tests.vertex_vllm.mirror.conftest import SMALL_STEPS
from tests.waiting import PATIENCE_SECONDS, wait_until, wait_until_gone
from vertex_vllm.mirror.worker_job import Job
from vertex_vllm.mirror.worker_processes import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    with closing(Workers(2)) as started:
        yield started
    assert group_members(started.group) == []


def forks(workers: Workers) -> list[int]:
    """Once both have been forked."""
    wait_until(lambda: len(group_members(workers.group)) == 3)
    return [pid for pid in group_members(workers.group) if pid != workers.group]


def test_each_ends_with_its_own_input(workers: Workers) -> None:
    first, second = workers.all
    forks(workers)
    first.end_input()
    assert list(first.lines()) == []
    assert first.exit_code() == 0
    assert len(group_members(workers.group)) == 2
    second.end_input()
    assert second.exit_code() == 0


def test_how_one_ended_is_told_while_the_other_runs(workers: Workers) -> None:
    first, _ = workers.all
    pid, other = forks(workers)
    os.kill(pid, signal.SIGKILL)
    assert list(first.lines()) == []
    assert first.exit_code() == -signal.SIGKILL
    assert start_time(other)


def test_killed_with_its_parent(workers: Workers) -> None:
    """The parent's own exit code shows the kill; a worker that is not forked yet ends with the parent."""
    os.kill(workers.group, signal.SIGKILL)
    first, _ = workers.all
    first.end_input()
    assert list(first.lines()) == []
    assert first.exit_code() == -signal.SIGKILL


@pytest.mark.parametrize("hang", [False, True])
def test_all_are_killed(workers: Workers, hang: bool) -> None:
    pids = forks(workers)
    for pid in pids if hang else []:
        os.kill(pid, signal.SIGSTOP)
    workers.kill()
    wait_until_gone(pids)


def test_who_has_ended_hears_nothing(workers: Workers) -> None:
    first, _ = workers.all
    pid, _ = forks(workers)
    os.kill(pid, signal.SIGKILL)
    list(first.lines())
    first.say("x" * 1_000_000)


def test_one_ends_though_nobody_reads_what_it_says(cloud: Any) -> None:
    """A worker whose starter was killed: its socket is closed with an event in it."""
    job = Job("org/model", "a" * 40, None, "gs://some-bucket/prefix", "some-project", SMALL_STEPS)
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "vertex_vllm.mirror.worker", str(theirs.fileno())]
    parent = subprocess.Popen(
        command, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    try:
        theirs.close()
        ours.sendall(f"{job.to_json()}\n".encode())
        assert ours.recv(1, socket.MSG_PEEK)
        ours.close()
        told, _ = parent.communicate(timeout=PATIENCE_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
    assert json.loads(told) == {"worker": 0, "exit_code": 0}
