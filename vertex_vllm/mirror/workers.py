"""Processes that copy large files: one alone would be held back by its interpreter and by one hash at a time."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vertex_vllm import errors
from vertex_vllm.errors import MirrorError, ServiceError, VertexVllmError
from vertex_vllm.hub.listing import HubFile
from vertex_vllm.mirror.job import Job
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.progress import Meter

_PACKAGES = Path(__file__).resolve().parents[2]
# How often a file is given to another process when the one that had it was killed, for want of memory for example.
_TRIES = 3


def copy_large_files(files: Sequence[HubFile], job: Job, meter: Meter) -> dict[str, MirroredFile]:
    """Path → object for each file, the largest first. Raises the first error of a worker, having ended the others."""
    if not files:
        return {}
    work = _Work(files, job, meter)
    count = job.transfer.worker_count(len(files))
    with ThreadPoolExecutor(count) as threads:
        try:
            running = [threads.submit(work.until_done) for _ in range(count)]
            for worker in running:
                worker.result()
        except BaseException:
            work.end()
            raise
    return work.done


class _Work:
    """Files still to be copied, shared by the threads that each look after one process."""

    def __init__(self, files: Sequence[HubFile], job: Job, meter: Meter) -> None:
        # With the number of the try.
        self._waiting = deque((file, 1) for file in sorted(files, key=lambda file: -file.size))
        self._job, self._meter = job, meter
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._ended = False
        self.done: dict[str, MirroredFile] = {}

    def until_done(self) -> None:
        """Copies files until there are none left, with one process, and another one when that is killed."""
        while self._waiting and not self._ended:
            with self._process() as process:
                try:
                    self._feed(process)
                except VertexVllmError:
                    self.end()
                    raise
                finally:
                    self._stop(process)

    def end(self) -> None:
        """Every process ends now; what they were at can be gone on with."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()

    def _process(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._ended:
                raise ServiceError("not begun: others have failed", where=self._job.destination)
            process = subprocess.Popen(
                [sys.executable, "-m", "vertex_vllm.mirror.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": _import_path()},
                # Ctrl-C is for the process in front; this one ends when its input does.
                start_new_session=True,
            )
            self._processes.add(process)
        return process

    def _feed(self, process: subprocess.Popen[str]) -> None:
        """Gives it files as it asks for them, until there are none; those that it leaves undone wait for another."""
        assert process.stdout is not None
        self._say(process, self._job.to_json())
        in_work: dict[str, tuple[HubFile, int]] = {}
        asks = False
        for line in process.stdout:
            event: dict[str, Any] = json.loads(line)
            kind = event.pop("event")
            if kind == "ready":
                asks = True
            elif kind == "moved":
                self._meter.count(**event)
            elif kind == "done":
                del in_work[event["path"]]
                self.done[event["path"]] = MirroredFile(**event["file"])
                self._meter.done(event["path"])
            else:
                raise _as_raised(event)
            if asks and (given := self._next()) is not None:
                file, _ = given
                in_work[file.path] = given
                self._say(process, json.dumps(asdict(file)))
                asks = False
            if asks and not in_work:
                return
        if not self._ended:
            self._again(process, list(in_work.values()))

    def _next(self) -> tuple[HubFile, int] | None:
        try:
            return None if self._ended else self._waiting.popleft()
        except IndexError:
            return None

    def _say(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return  # It has been killed; listening to it tells.

    def _again(self, process: subprocess.Popen[str], undone: Sequence[tuple[HubFile, int]]) -> None:
        code = process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        fix = "Run it again: it goes on where it was. If memory is short, take fewer processes."
        if not undone:
            raise MirrorError(f"a process that was to copy ended {how}", where=self._job.destination, fix=fix)
        for file, tries in undone:
            if tries == _TRIES:
                where = f"{self._job.destination}/{file.path}"
                raise MirrorError(f"the process that copied it ended {how}, {_TRIES} times", where=where, fix=fix)
            self._meter.count(file.path, retries=1)
            self._waiting.appendleft((file, tries + 1))

    def _stop(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._processes.discard(process)
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()


def _import_path() -> str:
    """So that the other process imports this project from where this one did."""
    return os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH", ""))))


def _as_raised(event: dict[str, Any]) -> VertexVllmError:
    """The worker's error, as it was raised there."""
    kind = getattr(errors, event["error"], ServiceError)
    error: VertexVllmError = kind(event["message"], where=event["where"], fix=event["fix"])
    return error
