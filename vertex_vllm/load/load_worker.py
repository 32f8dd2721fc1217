"""Sends a share of a load: in this process, or as a process of its own that reads jobs from standard input.

Run: `python -m vertex_vllm.load.load_worker`. Lines in: a job as JSON, then the start by `time.monotonic`, which all
processes of a machine share. Lines out: `ready` when a job may start, then its outcome. The end of the input ends
the process.
"""

import asyncio
import gc
import json
import resource
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from typing import Any

from vertex_vllm.catalog.load_profiles import Lengths
from vertex_vllm.errors import VertexVllmError
from vertex_vllm.load.address import Address
from vertex_vllm.load.due_requests import Due
from vertex_vllm.load.loops import Limits, closed_loop, lateness, open_loop
from vertex_vllm.load.prompts import TokenScale
from vertex_vllm.load.samples import Sample
from vertex_vllm.load.stream_client import StreamClient

READY = "ready"


@dataclass(frozen=True)
class Job:
    """The share of a load that one process sends."""

    address: Address
    """Where requests are sent, and with which credentials."""
    scale: TokenScale
    seed: int
    """Of the prompts' texts."""
    dues: tuple[Due, ...]
    limits: Limits
    concurrency: int
    """Requests under way at once, in a closed loop; 0: each request is sent when it is due."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        job = json.loads(text)
        dues = tuple(Due(**{**due, "lengths": Lengths(**due["lengths"])}) for due in job["dues"])
        return cls(
            address=Address(**job["address"]),
            scale=TokenScale(**job["scale"]),
            seed=job["seed"],
            dues=dues,
            limits=Limits(**job["limits"]),
            concurrency=job["concurrency"],
        )


@dataclass(frozen=True)
class Outcome:
    samples: tuple[Sample, ...]
    late: tuple[float, ...]
    """Seconds by which the event loop woke late, each 50 ms."""
    cpu_seconds: float
    """Of this process, while the job ran."""

    def to_json(self) -> str:
        return json.dumps([[astuple(sample) for sample in self.samples], self.late, self.cpu_seconds])

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        samples, late, cpu_seconds = json.loads(text)
        return cls(tuple(Sample(*values) for values in samples), tuple(late), cpu_seconds)


async def run_job(job: Job, start: float) -> Outcome:
    """`start`: by `time.monotonic`. Raises InputError and ServiceError as StreamClient does."""
    late: list[float] = []
    async with StreamClient(job.address, job.scale, job.seed) as client:
        await asyncio.sleep(max(start - time.monotonic(), 0.0))
        before = time.process_time()
        watch = asyncio.create_task(lateness(late))
        # A collection of all objects stops the clock for tens of milliseconds; a load makes next to no cycles.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            if job.concurrency:
                samples = await closed_loop(job.dues, client.ask, start, job.limits, job.concurrency)
            else:
                samples = await open_loop(job.dues, client.ask, start, job.limits)
        finally:
            gc.enable()
            gc.unfreeze()
            watch.cancel()
        return Outcome(tuple(samples), tuple(late), time.process_time() - before)


def allow_many_files() -> None:
    """Raises this process's limit of open files to the most that it may have: each stream is a connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    # Ctrl-C reaches the whole group; the parent ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow_many_files()
    while line := sys.stdin.readline():
        job = Job.from_json(line)
        _say(READY)
        start = float(sys.stdin.readline())
        try:
            _say(asyncio.run(run_job(job, start)).to_json())
        except VertexVllmError as error:
            _say(json.dumps({"error": type(error).__name__, "message": str(error)}))


def _say(line: str) -> None:
    print(line, flush=True)


def failure_in(line: str) -> dict[str, Any] | None:
    """The error that a worker reports in the place of an outcome."""
    if not line.startswith("{"):
        return None
    reported: dict[str, Any] = json.loads(line)
    return reported


if __name__ == "__main__":
    main()
