"""The local cloud's time: the machine's, plus the seconds that it was moved forward, which survive restarts."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

# Sums of such moves stay far below the last year that a date can have.
_FARTHEST_MOVE_SECONDS = 10 * 366 * 24 * 3600


class Clock:
    """A call returns the local cloud's time in UTC. Code that waits for a time listens for moves of the clock."""

    def __init__(self, file: Path) -> None:
        """`file`: holds the seconds of all moves; missing: the clock was never moved."""
        self._file = file
        self._offset = timedelta(seconds=int(file.read_text()) if file.exists() else 0)
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    @property
    def ahead(self) -> timedelta:
        """By how much the clock is ahead of the machine's."""
        return self._offset

    def advance(self, seconds: int) -> None:
        """Moves the clock forward, and returns when everything that became due has been started.

        Raises ValueError for a move backwards, as past events cannot be in the future, and for more than ten years.
        """
        if not 0 <= seconds <= _FARTHEST_MOVE_SECONDS:
            raise ValueError(f"the clock goes forward, by at most {_FARTHEST_MOVE_SECONDS} s, not by {seconds} s")
        with self._lock:
            self._offset += timedelta(seconds=seconds)
            unfinished = self._file.with_suffix(".unfinished")
            unfinished.write_text(str(int(self._offset.total_seconds())))
            unfinished.replace(self._file)
        for listener in self._listeners:
            listener()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after each move, in the thread of the caller that moved the clock."""
        self._listeners.append(listener)
