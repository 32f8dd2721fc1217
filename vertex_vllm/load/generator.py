"""The load generator: one process for a small load, one per processor for a large one."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from vertex_vllm.catalog.load_profiles import Lengths
from vertex_vllm.errors import InferenceError, InputError, ServiceError, UnreachableError
from vertex_vllm.load.address import Address
from vertex_vllm.load.due_requests import Due
from vertex_vllm.load.load_worker import READY, Job, Outcome, allow_many_files, failure_in, run_job
from vertex_vllm.load.loops import Limits
from vertex_vllm.load.prompts import ASSUMED_SCALE, PROBES, TokenScale
from vertex_vllm.load.samples import Run, Sample
from vertex_vllm.load.stream_client import StreamClient
from vertex_vllm.retries import TransientError, with_retries

# Requests at once that the calling process sends itself; more are spread over processes, this many at most for each.
OWN_STREAMS, STREAMS_PER_PROCESS = 64, 512
_START_SECONDS = 0.25
"""Seconds between the moment at which all processes are ready and the first request."""
_PROBE_ANSWER_TOKENS = 2
_PROBE_SECONDS = 120.0


class LoadGenerator:
    """Sends loads to one address. A context manager: leaving it ends the processes."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._scale = ASSUMED_SCALE
        self.workers: list[Worker] = []
        self.probes: tuple[Sample, ...] = ()
        """Requests outside of any load; their tokens are counted, too."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.close()

    def probe(self, longest: Lengths) -> None:
        """Measures tokens per word with two prompts, and checks that the server accepts the profile's longest request.

        Raises InferenceError where the server refuses a short prompt, InputError where it refuses the longest request.
        """
        if self._address.chat:
            short, long = (self._ask(ASSUMED_SCALE, _prompt_of(words)) for words in PROBES)
            for sample in (short, long):
                if sample.error:
                    raise InferenceError(sample.error, where=self._address.url)
            if short.prompt_tokens is None or long.prompt_tokens is None:
                raise InferenceError("The server counts no tokens in its streams", where=self._address.url)
            self._scale = TokenScale.measured(PROBES, (short.prompt_tokens, long.prompt_tokens))
        answered = self._ask(self._scale, longest)
        if answered.retryable:
            raise InferenceError(answered.error, where=self._address.url)
        if answered.error:
            raise InputError(
                f"a prompt of {longest.prompt} tokens with an answer of {longest.answer} is refused: {answered.error}",
                where="load profile",
                fix="Choose shorter lengths, or raise serving.max_model_len.",
            )

    def run(self, dues: Sequence[Due], limits: Limits, streams: int, concurrency: int = 0, seed: int = 0) -> Run:
        """Sends `dues`; `streams`: about how many will be under way at once. `concurrency` as in `Job`.

        Loads with different seeds have different prompts, so that none is answered from a cache of the other's.

        Raises what StreamClient raises, and InferenceError where a process of the generator dies.
        """
        count = _processes(max(streams, concurrency))
        job = Job(self._address, self._scale, seed, tuple(dues), limits, concurrency)
        if count == 0:
            allow_many_files()
            outcomes = [asyncio.run(run_job(job, time.monotonic()))]
        else:
            while len(self.workers) < count:
                self.workers.append(Worker())
            outcomes = _run_together(self.workers[:count], [_share(job, number, count) for number in range(count)])
        samples = sorted((sample for each in outcomes for sample in each.samples), key=lambda sample: sample.number)
        late = tuple(seconds for each in outcomes for seconds in each.late)
        return Run(tuple(samples), late, sum(each.cpu_seconds for each in outcomes))

    def _ask(self, scale: TokenScale, lengths: Lengths) -> Sample:
        """The answer, or the last failure: a probe is sent again while the service fails, unlike requests of a load."""

        def ask() -> Sample:
            number = -1 - len(self.probes)  # Negative: no request of a load begins with the same number.
            sample = asyncio.run(_ask_once(self._address, scale, Due(number, 0.0, lengths, warm_up=True)))
            self.probes = (*self.probes, sample)
            if sample.retryable:
                raise TransientError(sample.error)
            return sample

        try:
            return with_retries(ask, seconds=_PROBE_SECONDS, waiting_for="the endpoint")
        except TransientError:
            return self.probes[-1]


async def _ask_once(address: Address, scale: TokenScale, due: Due) -> Sample:
    async with StreamClient(address, scale, 0) as client:
        return await client.ask(due, time.monotonic(), None)


def _prompt_of(words: int) -> Lengths:
    """Lengths of a prompt of so many words, by the assumed scale."""
    tokens = round(ASSUMED_SCALE.per_word * words + ASSUMED_SCALE.overhead)
    return Lengths(tokens, _PROBE_ANSWER_TOKENS)


def _processes(streams: int) -> int:
    """Number of processes for so many concurrent requests; 0: the calling process sends them."""
    if streams <= OWN_STREAMS:
        return 0
    return min(len(os.sched_getaffinity(0)), -(-streams // STREAMS_PER_PROCESS))


def _share(job: Job, number: int, count: int) -> Job:
    """Every `count`-th request, and the same part of the limits."""
    under_way = -(-job.limits.under_way // count)
    concurrency = job.concurrency // count + (number < job.concurrency % count)
    limits = replace(job.limits, under_way=under_way)
    return replace(job, dues=job.dues[number::count], limits=limits, concurrency=concurrency)


class Worker:
    """A process that runs jobs one after another."""

    def __init__(self) -> None:
        # -P: modules are not imported from the current folder.
        command = [sys.executable, "-P", "-m", "vertex_vllm.load.load_worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        return line.rstrip("\n")

    def close(self) -> None:
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _died(self) -> InferenceError:
        code = self._process.wait()
        return InferenceError(f"A process of the load generator ended with exit code {code}")


def _run_together(workers: Sequence[Worker], jobs: Sequence[Job]) -> list[Outcome]:
    for worker, job in zip(workers, jobs, strict=True):
        worker.say(job.to_json())
    for worker in workers:
        heard = worker.hear()
        if heard != READY:
            raise InferenceError(f"A process of the load generator said: {heard[:200]}")
    start = time.monotonic() + _START_SECONDS
    for worker in workers:
        worker.say(repr(start))
    return [_outcome(worker.hear()) for worker in workers]


def _outcome(line: str) -> Outcome:
    if failure := failure_in(line):
        raise _RAISED.get(failure["error"], InferenceError)(failure["message"])
    return Outcome.from_json(line)


# Errors that StreamClient raises, by the name that a process of the generator reports.
_RAISED = {"InputError": InputError, "ServiceError": ServiceError, "UnreachableError": UnreachableError}
