"""The process that copies large files: `python -m vertex_vllm.mirror.worker`, started by `mirror.workers`.

It is given a job and then files, one JSON line each, on standard input, and answers with events, one JSON line each, on
standard output. When its input ends, because whoever started it has ended, it ends at once: the journals know the rest.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TextIO

from vertex_vllm.errors import VertexVllmError
from vertex_vllm.google_errors import google_errors
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.listing import HubFile
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.job import Job
from vertex_vllm.mirror.large_files import LargeFiles
from vertex_vllm.mirror.xet import XetReader
from vertex_vllm.redaction import redacting, remember
from vertex_vllm.retries import TransientError

# Seconds between two events about bytes.
_EVENT_SECONDS = 0.2


class _Events:
    """Events about the file in work, to whoever started this process. A `FileMeter`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._counts = {"present": 0, "copied": 0, "retries": 0}
        self._due = 0.0

    def present(self, count: int) -> None:
        self._count("present", count)

    def copied(self, count: int) -> None:
        self._count("copied", count)

    def retried(self) -> None:
        self._count("retries", 1)

    def tell(self, event: str, **fields: Any) -> None:
        """After what has been counted so far."""
        with self._lock:
            self._flush()
            self._write({"event": event, **fields})

    def _count(self, what: str, count: int) -> None:
        with self._lock:
            self._counts[what] += count
            if time.monotonic() >= self._due:
                self._flush()

    def _flush(self) -> None:
        if any(self._counts.values()):
            self._write({"event": "moved", **self._counts})
            self._counts = dict.fromkeys(self._counts, 0)
        self._due = time.monotonic() + _EVENT_SECONDS

    def _write(self, fields: dict[str, Any]) -> None:
        self._out.write(json.dumps(fields) + "\n")
        self._out.flush()


def main() -> None:
    events = _Events(_private_output())
    lines = _lines_until_the_end(sys.stdin)
    job = Job.from_json(lines.get())
    remember(job.token)
    with redacting():
        try:
            _copy_what_is_asked_for(job, lines, events)
        except Exception:
            traceback.print_exc()
            os._exit(1)


def _copy_what_is_asked_for(job: Job, lines: "queue.SimpleQueue[str]", events: _Events) -> None:
    try:
        with _large_files(job, events) as large_files:
            while True:
                file = HubFile(**json.loads(lines.get()))
                with google_errors("Cloud Storage", f"{job.destination}/{file.path}"):
                    mirrored = large_files.copy(file, events)
                events.tell("done", file=asdict(mirrored))
    except VertexVllmError as error:
        events.tell("failed", error=type(error).__name__, message=error.message, where=error.where, fix=error.fix)
        os._exit(1)  # Threads that sleep before another try would keep it here.


@contextmanager
def _large_files(job: Job, events: _Events) -> Iterator[LargeFiles]:
    transfer = job.transfer
    large_files: LargeFiles | None = None

    def on_retry(error: Exception) -> None:
        events.retried()
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
        ThreadPoolExecutor(2 * transfer.connections) as threads,
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
    """Standard output for events alone: what a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def _lines_until_the_end(stream: TextIO) -> "queue.SimpleQueue[str]":
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


if __name__ == "__main__":
    main()
