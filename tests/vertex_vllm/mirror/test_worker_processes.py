"""Workers and the parent that they are forked from."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.vertex_vllm.mirror.conftest import SMALL_STEPS, children_of, runs, wait_until_gone
from vertex_vllm.mirror.job import Job
from vertex_vllm.mirror.worker_processes import Workers


@dataclass(frozen=True)
class Family:
    workers: Workers
    parent: int

    def forks(self) -> list[int]:
        """Once both have been forked."""
        deadline = time.monotonic() + 20
        while len(found := children_of(self.parent)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return found


@pytest.fixture
def family() -> Iterator[Family]:
    before = children_of(os.getpid())
    with closing(Workers(2)) as workers:
        (parent,) = set(children_of(os.getpid())) - set(before)
        yield Family(workers, parent)
    assert parent not in children_of(os.getpid())


def test_each_ends_with_its_own_input(family: Family) -> None:
    first, second = family.workers.all
    family.forks()
    first.end_input()
    assert list(first.lines()) == []
    assert first.exit_code() == 0
    assert len(children_of(family.parent)) == 1
    second.end_input()
    assert second.exit_code() == 0


def test_how_one_ended_is_told_while_the_other_runs(family: Family) -> None:
    first, _ = family.workers.all
    pid, other = family.forks()
    os.kill(pid, signal.SIGKILL)
    assert list(first.lines()) == []
    assert first.exit_code() == -signal.SIGKILL
    assert runs(other)


def test_killed_with_its_parent(family: Family) -> None:
    """What says so is the parent's own exit code; who has not been forked yet ends with it."""
    os.kill(family.parent, signal.SIGKILL)
    first, _ = family.workers.all
    first.end_input()
    assert list(first.lines()) == []
    assert first.exit_code() == -signal.SIGKILL


@pytest.mark.parametrize("hang", [False, True])
def test_all_are_killed(family: Family, hang: bool) -> None:
    forks = family.forks()
    for pid in forks if hang else []:
        os.kill(pid, signal.SIGSTOP)
    family.workers.kill()
    family.workers.close()
    wait_until_gone(forks)


def test_who_has_ended_hears_nothing(family: Family) -> None:
    first, _ = family.workers.all
    pid, _ = family.forks()
    os.kill(pid, signal.SIGKILL)
    list(first.lines())
    first.say("x" * 1_000_000)


def test_one_ends_though_nobody_reads_what_it_says(cloud: Any) -> None:
    """As when whoever started it is killed: its socket is closed with an event in it."""
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
        told, _ = parent.communicate(timeout=20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
    assert json.loads(told) == {"worker": 0, "exit_code": 0}
