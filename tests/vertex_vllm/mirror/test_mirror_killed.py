"""A mirror killed at random moments, again and again: the next one continues, and sends nothing twice."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.mirroring.measuring import with_descendants
from tests.vertex_vllm.mirror.conftest import SHARDS, SMALL_STEPS, SharedModel
from tests.waiting import PATIENCE_SECONDS, wait_until, wait_until_gone
from vertex_vllm.mirror import Transfer, mirror_weights

ROOT = Path(__file__).resolve().parents[3]
# Mirrors that are killed several times each before they may end.
MIRRORS, KILLS = 10, 5
# Parts that a mirror may send between its start and the moment at which it is killed.
MOST_PARTS = 6

PROGRAM = f"""
import json, sys
from vertex_vllm.mirror import Transfer, mirror_weights
model_id, commit, place, project = sys.argv[1:]
mirror_weights(model_id, commit, None, place, project, transfer=Transfer(**{asdict(SMALL_STEPS)!r}))
"""


def start(model: SharedModel, place: str, project: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, model.id, model.commit, place, project]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=stderr)


def started_by(pid: int) -> list[int]:
    """The parent of the workers, then the workers."""
    _, *started = with_descendants([pid])
    return started


def sent_parts(model: SharedModel, place: str) -> int:
    return sum(len(model.sent_parts(place, path)) for path in SHARDS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MIRRORS))
def test_a_mirror_killed_at_any_moment_is_gone_on_with(shared_model: SharedModel, project: str, seed: int) -> None:
    moments = random.Random(seed)
    place = shared_model.place()
    for _ in range(KILLS):
        wanted = sent_parts(shared_model, place) + moments.randint(0, MOST_PARTS)
        process = start(shared_model, place, project)
        wait_until(lambda: sent_parts(shared_model, place) >= wanted or process.poll() is not None)  # noqa: B023
        others = started_by(process.pid)
        process.kill()
        process.wait()
        wait_until_gone(others)
    mirror_weights(shared_model.id, shared_model.commit, None, place, project, transfer=SMALL_STEPS)
    shared_model.assert_published(place)
    assert shared_model.stored_twice(place) == []
    under_way = SMALL_STEPS.buffer_bytes
    for path, size in SHARDS.items():
        received = sum(sent["size"] for sent in shared_model.sent_parts(place, path))
        assert size <= received <= size + KILLS * under_way


def test_a_worker_that_is_killed_is_replaced(shared_model: SharedModel, project: str) -> None:
    """As the kernel does when memory runs out."""
    place = shared_model.place()
    shared_model.cloud.add_fault(service="content-network", kind="slow_body", bytes_per_second=8_000_000, times=None)
    process = start(shared_model, place, project)
    try:
        wait_until(lambda: sent_parts(shared_model, place))
        os.kill(started_by(process.pid)[1], signal.SIGKILL)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    finally:
        shared_model.cloud.clear_faults()
        process.kill()
        process.wait()
    shared_model.assert_published(place)
    assert shared_model.stored_twice(place) == []


def test_workers_that_are_killed_whenever_they_start_end_the_mirror(shared_model: SharedModel, project: str) -> None:
    place = shared_model.place()
    process = start(shared_model, place, project, stderr=subprocess.PIPE)

    def ended() -> bool:
        """Kills every worker that runs, or else their parent, until the mirror has ended."""
        started = started_by(process.pid)
        for worker in started[1:] or started:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        return process.poll() is not None

    wait_until(ended)
    assert process.stderr is not None
    with process.stderr as stderr:
        assert "ended by SIGKILL" in stderr.read().decode().splitlines()[-1]
    assert process.returncode == 1


def test_another_machine_goes_on_where_one_was(shared_model: SharedModel, project: str) -> None:
    """The journal in the bucket has the hash, checksums and parts of the unfinished file."""
    place = shared_model.place()
    one_at_a_time = Transfer(**{**asdict(SMALL_STEPS), "processes": 1, "connections": 1})
    shared_model.cloud.add_fault(service="storage", method="PUT", query={"partNumber": "4"}, kind="error", status=403)
    with pytest.raises(Exception, match="403"):
        mirror_weights(shared_model.id, shared_model.commit, None, place, project, transfer=one_at_a_time)
    journal, *others = shared_model.client.list_blobs(shared_model.bucket, prefix=".vertex-vllm/journals/")
    assert others == []
    noted = json.loads(journal.download_as_bytes())
    assert noted["hashed"] in (SMALL_STEPS.part_bytes * 2, SMALL_STEPS.part_bytes * 3)
    mirror_weights(shared_model.id, shared_model.commit, None, place, project, transfer=one_at_a_time)
    shared_model.assert_published(place)
    assert shared_model.stored_twice(place) == []
