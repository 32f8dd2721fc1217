"""How far a mirror is: counted by the threads that copy, told to whoever watches."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial


@dataclass(frozen=True)
class Progress:
    """A moment of a mirror."""

    model_id: str
    files_total: int
    files_done: int
    bytes_total: int
    bytes_present: int
    """Found in the bucket from an earlier run."""
    bytes_copied: int
    """Sent to the bucket in this run."""
    seconds: float
    """Since the start."""

    @property
    def finished(self) -> bool:
        return self.files_done == self.files_total

    @property
    def megabytes_per_second(self) -> float:
        return round(self.bytes_copied / 1e6 / self.seconds, 1) if self.seconds else 0.0


OnProgress = Callable[[Progress], None]
_print_now = partial(print, flush=True)


def ignore_progress(_: Progress) -> None:
    """For those who do not watch."""


class Meter:
    """Counts for one mirror; its methods may be called from any thread, `on_progress` is never called twice at once."""

    def __init__(self, model_id: str, sizes: Sequence[int], on_progress: OnProgress) -> None:
        self._model_id, self._files_total, self._bytes_total = model_id, len(sizes), sum(sizes)
        self._files_done = self._bytes_present = self._bytes_copied = 0
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._start = time.monotonic()

    def present(self, size: int) -> None:
        """A file need not be copied."""
        self._count(files=1, present=size)

    def copied(self, size: int) -> None:
        """That many bytes have reached the bucket."""
        self._count(copied=size)

    def done(self) -> None:
        """A file has been copied and verified."""
        self._count(files=1)

    def _count(self, files: int = 0, present: int = 0, copied: int = 0) -> None:
        with self._lock:
            self._files_done += files
            self._bytes_present += present
            self._bytes_copied += copied
            self._on_progress(
                Progress(
                    self._model_id,
                    self._files_total,
                    self._files_done,
                    self._bytes_total,
                    self._bytes_present,
                    self._bytes_copied,
                    round(time.monotonic() - self._start, 3),
                )
            )


def log_progress(
    write: Callable[[str], object] = _print_now,
    seconds: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> OnProgress:
    """An `on_progress` that writes one JSON line every few seconds, and the last one always: for a pipeline's log."""
    due = clock()

    def log(progress: Progress) -> None:
        nonlocal due
        now = clock()
        if progress.finished or now >= due:
            due = now + seconds
            fields = {**asdict(progress), "megabytes_per_second": progress.megabytes_per_second}
            write(json.dumps({"event": "mirror", **fields}))

    return log
