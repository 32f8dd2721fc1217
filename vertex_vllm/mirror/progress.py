"""Progress of a mirror: counted where bytes move, passed to `on_progress`."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Protocol


@dataclass(frozen=True)
class FileProgress:
    """A moment of one file."""

    size: int
    """Bytes."""
    present: int = 0
    """Bytes found in the bucket: from an earlier run, or copied there from another commit."""
    copied: int = 0
    """Bytes sent to the bucket in this run."""
    retries: int = 0
    done: bool = False

    @property
    def bytes(self) -> int:
        return min(self.size, self.present + self.copied)


@dataclass(frozen=True)
class Progress:
    """A moment of a mirror."""

    model_id: str
    files: Mapping[str, FileProgress]
    """By path."""
    seconds: float
    """Since the start."""

    @property
    def files_done(self) -> int:
        return sum(file.done for file in self.files.values())

    @property
    def bytes_total(self) -> int:
        return sum(file.size for file in self.files.values())

    @property
    def bytes_present(self) -> int:
        return sum(file.present for file in self.files.values())

    @property
    def bytes_copied(self) -> int:
        return sum(file.copied for file in self.files.values())

    @property
    def bytes_missing(self) -> int:
        return self.bytes_total - sum(file.bytes for file in self.files.values())

    @property
    def retries(self) -> int:
        return sum(file.retries for file in self.files.values())

    @property
    def finished(self) -> bool:
        return self.files_done == len(self.files)

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes sent per second, over the whole time."""
        return round(self.bytes_copied / 1e6 / self.seconds, 1) if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None while that is unknown."""
        if self.bytes_missing == 0:
            return 0.0
        return round(self.bytes_missing * self.seconds / self.bytes_copied, 1) if self.bytes_copied else None

    def summary(self) -> dict[str, object]:
        """The total figures, for a log or an artifact's metadata."""
        return {
            "model_id": self.model_id,
            "files_total": len(self.files),
            "files_done": self.files_done,
            "bytes_total": self.bytes_total,
            "bytes_present": self.bytes_present,
            "bytes_copied": self.bytes_copied,
            "retries": self.retries,
            "seconds": self.seconds,
            "megabytes_per_second": self.megabytes_per_second,
        }


_BEAT_SECONDS = 1.0
OnProgress = Callable[[Progress], None]
_print_now = partial(print, flush=True)


def ignore_progress(_: Progress) -> None:
    """Ignores the progress, for callers that do not show it."""


class FileMeter(Protocol):
    """Counts the progress of one file, from any thread."""

    def present(self, count: int) -> None:
        """Counts bytes that need not be sent."""

    def copied(self, count: int) -> None:
        """Counts bytes that have reached the bucket."""

    def retried(self) -> None:
        """Counts a failure that is tried again."""


class Meter:
    """Counts for one mirror; its methods may be called from any thread, `on_progress` is never called twice at once."""

    def __init__(self, model_id: str, sizes: Mapping[str, int], on_progress: OnProgress) -> None:
        """`sizes`: path → bytes."""
        self._model_id = model_id
        self._files = {path: FileProgress(size) for path, size in sizes.items()}
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._start = time.monotonic()

    def file(self, path: str) -> FileMeter:
        return _OneFile(self, path)

    def count(self, path: str, *, present: int = 0, copied: int = 0, retries: int = 0, done: bool = False) -> None:
        with self._lock:
            file = self._files[path]
            self._files[path] = replace(
                file,
                present=file.present + present,
                copied=file.copied + copied,
                retries=file.retries + retries,
                done=file.done or done,
            )
            self._on_progress(self._now())

    def found(self, path: str, size: int) -> None:
        """Counts a file that is complete in the bucket already."""
        self.count(path, present=size, done=True)

    def done(self, path: str) -> None:
        """Counts a file that has been copied and verified."""
        self.count(path, done=True)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Calls `on_progress` every second while the body runs, also when no byte has moved."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT_SECONDS):
                with self._lock:
                    self._on_progress(self._now())

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _now(self) -> Progress:
        return Progress(self._model_id, dict(self._files), round(time.monotonic() - self._start, 3))


class _OneFile:
    def __init__(self, meter: Meter, path: str) -> None:
        self._meter, self._path = meter, path

    def present(self, count: int) -> None:
        self._meter.count(self._path, present=count)

    def copied(self, count: int) -> None:
        self._meter.count(self._path, copied=count)

    def retried(self) -> None:
        self._meter.count(self._path, retries=1)


class ProgressLog:
    """An `on_progress` that writes one JSON line every few seconds, and the last one always: for a pipeline's log."""

    def __init__(
        self,
        write: Callable[[str], object] = _print_now,
        seconds: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._seconds, self._clock = write, seconds, clock
        self._due = clock()
        self.figures: dict[str, object] = {}
        """The last `Progress.summary`."""

    def __call__(self, progress: Progress) -> None:
        self.figures = progress.summary()
        now = self._clock()
        if progress.finished or now >= self._due:
            self._due = now + self._seconds
            under_way = {path: asdict(file) for path, file in progress.files.items() if file.bytes and not file.done}
            line = {**self.figures, "seconds_left": progress.seconds_left, "under_way": under_way}
            self._write(json.dumps({"event": "mirror", **line}))
