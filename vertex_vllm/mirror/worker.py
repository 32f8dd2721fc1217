"""Processes that copy large files: `python -m vertex_vllm.mirror.worker SOCKET…`, for `mirror.worker_processes`.

Each is given a job and then files, one JSON line each, on a socket, and answers there with events, one JSON line each.
When its input ends, because its parent has ended, it ends at once: the journals hold its progress.
"""

import gc
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from typing import Any, NoReturn, TextIO

from vertex_vllm.errors import VertexVllmError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.large_files import LargeFiles
from vertex_vllm.mirror.worker_errors import fields_of
from vertex_vllm.mirror.worker_job import Job
from vertex_vllm.mirror.xet import XetReader
from vertex_vllm.redaction import redacting, remember
from vertex_vllm.retries import TransientError

# Modules that a copy imports late: imported before the fork, they are loaded once.
_IMPORTED_LATER = ("google.cloud.storage", "google.auth.transport.requests", "certifi")
# Seconds between two events about bytes.
_EVENT_SECONDS = 0.2
# One file is read at a time; the others are being sent, completed and verified, which can take a service a while.
_FILES_AT_ONCE = 3


class _Events:
    """Events to the parent process."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._due = 0.0

    def tell(self, event: str, **fields: Any) -> None:
        """Sends an event, after the counts so far."""
        with self._lock:
            self._flush()
            self._write({"event": event, **fields})

    def count(self, path: str, what: str, count: int) -> None:
        with self._lock:
            self._counts[path][what] += count
            if time.monotonic() >= self._due:
                self._flush()

    def _flush(self) -> None:
        for path, counts in self._counts.items():
            self._write({"event": "moved", "path": path, **counts})
        self._counts.clear()
        self._due = time.monotonic() + _EVENT_SECONDS

    def _write(self, fields: dict[str, Any]) -> None:
        self._out.write(json.dumps(fields) + "\n")
        self._out.flush()


class _ToParent(logging.Handler):
    """Warnings of this process, for the parent's log."""

    def __init__(self, events: _Events) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        self._events.tell("said", text=record.getMessage())


class _FileEvents:
    """Events about one file. A `FileMeter`."""

    def __init__(self, events: _Events, path: str) -> None:
        self._events, self._path = events, path

    def present(self, count: int) -> None:
        self._events.count(self._path, "present", count)

    def copied(self, count: int) -> None:
        self._events.count(self._path, "copied", count)

    def retried(self) -> None:
        self._events.count(self._path, "retries", 1)


class _Turn:
    """The right to start reading a file.

    A thread releases it when its last range has been requested, so the next file is read while this one is being sent.
    """

    def __init__(self) -> None:
        self._free = threading.Semaphore(1)

    def take(self) -> Callable[[], None]:
        """Waits for the right; returns the function that releases it, once."""
        self._free.acquire()
        held = threading.Lock()

        def release() -> None:
            if held.acquire(blocking=False):
                self._free.release()

        return release


def main() -> None:
    """Forks a worker for each of the sockets that the arguments number, and prints how each ended."""
    endings = _private_output()
    for name in _IMPORTED_LATER:
        import_module(name)
    gc.freeze()  # Objects that are never collected are never written to, so their memory stays shared.
    channels = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    workers: dict[int, int] = {}
    for number, channel in enumerate(channels):
        pid = os.fork()
        if not pid:
            endings.close()
            for other in channels[number + 1 :]:
                other.close()
            _work(channel)
        channel.close()
        workers[pid] = number
    while workers:
        pid, status = os.wait()
        ended = {"worker": workers.pop(pid), "exit_code": os.waitstatus_to_exitcode(status)}
        endings.write(json.dumps(ended) + "\n")
        endings.flush()


def _work(channel: socket.socket) -> NoReturn:
    events = _Events(channel.makefile("w", encoding="utf-8"))
    try:
        lines = _lines_until_the_end(channel.makefile("r", encoding="utf-8"))
        with redacting(), _told(events):
            logging.getLogger("vertex_vllm").addHandler(_ToParent(events))
            job = Job.from_json(lines.get())
            remember(job.token)
            _copy_what_is_asked_for(job, lines, events)
    finally:
        os._exit(1)  # Skips clean-up of objects that belong to the parent.


def _copy_what_is_asked_for(job: Job, lines: "queue.SimpleQueue[str]", events: _Events) -> None:
    turn, places = _Turn(), threading.Semaphore(_FILES_AT_ONCE)
    with _large_files(job, events) as large_files:

        def copy(file: HubFile, release: Callable[[], None]) -> None:
            with _told(events, large_files):
                with google_errors("Cloud Storage", f"{job.destination}/{file.path}"):
                    mirrored = large_files.copy(file, _FileEvents(events, file.path), release)
                events.tell("done", path=file.path, file=asdict(mirrored))
            release()
            places.release()

        while True:
            places.acquire()
            release = turn.take()
            events.tell("ready")
            file = HubFile(**json.loads(lines.get()))
            threading.Thread(target=copy, args=(file, release), name=file.path, daemon=True).start()


@contextmanager
def _told(events: _Events, large_files: LargeFiles | None = None) -> Iterator[None]:
    """Ends this process on a failure, after sending its cause to the parent."""
    try:
        yield
    except Exception as error:
        cause = (large_files and large_files.failure) or error
        if isinstance(cause, VertexVllmError):
            events.tell("failed", fields=fields_of(cause))
        else:
            traceback.print_exception(cause)
        os._exit(1)  # Threads that sleep before another attempt would delay the end.


@contextmanager
def _large_files(job: Job, events: _Events) -> Iterator[LargeFiles]:
    transfer = job.transfer
    large_files: LargeFiles | None = None

    def on_retry(path: str, error: Exception) -> None:
        events.count(path, "retries", 1)
        if large_files is not None and isinstance(error, TransientError) and error.throttled:
            large_files.limit.throttled()

    with (
        google_errors("Cloud Storage", job.destination),
        RepoReader(
            job.model_id,
            job.commit,
            job.token,
            stall_seconds=transfer.stall_seconds,
            patience_seconds=transfer.patience_seconds,
            on_retry=on_retry,
        ) as reader,
        ThreadPoolExecutor(_FILES_AT_ONCE * (transfer.connections + 1)) as threads,
    ):
        bucket = MirrorBucket(
            job.destination,
            job.project,
            stall_seconds=transfer.stall_seconds,
            patience_seconds=transfer.patience_seconds,
            on_retry=on_retry,
        )
        source = XetReader(reader, transfer.stall_seconds) if transfer.transport == "xet" else reader
        large_files = LargeFiles(source, bucket, transfer, threads)
        yield large_files


def _private_output() -> TextIO:
    """Reserves standard output for the endings: libraries print to standard error instead."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def _lines_until_the_end(stream: TextIO) -> "queue.SimpleQueue[str]":
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        with suppress(ConnectionError):  # The parent was killed before it had read all events.
            for line in stream:
                lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


if __name__ == "__main__":
    main()
