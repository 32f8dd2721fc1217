"""Distributes large files to several processes, because one Python interpreter computes one hash at a time."""

import json
import logging
import signal
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from typing import Any

from vertex_vllm.errors import MirrorError, VertexVllmError
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.progress import Meter
from vertex_vllm.mirror.worker_errors import error_from
from vertex_vllm.mirror.worker_job import Job
from vertex_vllm.mirror.worker_processes import Worker, Workers

# How often a file is given to another process after its process was killed, for example out of memory.
_TRIES = 3

_LOG = logging.getLogger(__name__)


def copy_large_files(files: Sequence[HubFile], job: Job, meter: Meter) -> dict[str, MirroredFile]:
    """Path → object for each file, the largest first. Raises the first error of a worker, having ended the others."""
    if not files:
        return {}
    count = job.transfer.worker_count(len(files))
    with closing(_Work(files, job, meter)) as work, ThreadPoolExecutor(count) as threads:
        try:
            running = [threads.submit(work.until_done, worker) for worker in work.start(count)]
            for each in running:
                each.result()
        except BaseException:
            work.end()
            raise
    return work.done


class _Work:
    """Files still to be copied, shared by threads that serve one worker each."""

    def __init__(self, files: Sequence[HubFile], job: Job, meter: Meter) -> None:
        # Each with the number of its attempts.
        self._waiting = deque((file, 1) for file in sorted(files, key=lambda file: -file.size))
        self._job, self._meter = job, meter
        self._lock = threading.Lock()
        self._started: list[Workers] = []
        self._ended = False
        self.done: dict[str, MirroredFile] = {}

    def start(self, count: int) -> tuple[Worker, ...]:
        """Forks `count` workers; none after the work has been ended for another cause."""
        with self._lock:
            if self._ended:
                return ()
            self._started.append(Workers(count))
            return self._started[-1].all

    def until_done(self, worker: Worker) -> None:
        """Copies files until none are left, with that worker, and with another one if it is killed."""
        try:
            self._feed(worker)
            while self._waiting and not self._ended:
                for another in self.start(1):
                    self._feed(another)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ends every process at once; a later run can resume their files."""
        with self._lock:
            self._ended = True
            for workers in self._started:
                workers.kill()

    def close(self) -> None:
        """Waits for all processes."""
        for workers in self._started:
            workers.close()

    def _feed(self, worker: Worker) -> None:
        """Gives the worker files as it asks for them; unfinished ones go to another worker."""
        worker.say(self._job.to_json())
        in_work: dict[str, tuple[HubFile, int]] = {}
        asks = False
        for line in worker.lines():
            event: dict[str, Any] = json.loads(line)
            kind = event.pop("event")
            if kind == "ready":
                asks = True
            elif kind == "moved":
                self._meter.count(**event)
            elif kind == "said":
                _LOG.warning("%s", event["text"])
            elif kind == "done":
                del in_work[event["path"]]
                self.done[event["path"]] = MirroredFile(**event["file"])
                self._meter.done(event["path"])
            else:
                raise _as_raised(event)
            if asks and (given := self._next()) is not None:
                file, _ = given
                in_work[file.path] = given
                worker.say(json.dumps(asdict(file)))
                asks = False
            if asks and not in_work:
                return worker.end_input()
        if not self._ended:
            self._again(worker, list(in_work.values()))
        return None

    def _next(self) -> tuple[HubFile, int] | None:
        try:
            return None if self._ended else self._waiting.popleft()
        except IndexError:
            return None

    def _again(self, worker: Worker, undone: Sequence[tuple[HubFile, int]]) -> None:
        code = worker.exit_code()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        fix = "Run it again: it resumes. If memory is short, take fewer processes."
        if not undone:
            raise MirrorError(f"a process that was to copy ended {how}", where=self._job.destination, fix=fix)
        for file, tries in undone:
            if tries == _TRIES:
                where = f"{self._job.destination}/{file.path}"
                raise MirrorError(
                    f"the process that copied it ended {how}, {_TRIES} times", where=where, fix=fix, path=file.path
                )
            self._meter.count(file.path, retries=1)
            self._waiting.appendleft((file, tries + 1))


def _as_raised(event: dict[str, Any]) -> VertexVllmError:
    """The worker's error, as it was raised there."""
    return error_from(event["fields"])
