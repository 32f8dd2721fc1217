"""SIGTERM and SIGINT as a state to check, rather than an exception between any two lines.

A deploy that is interrupted just after its request went out, and before the operation's name was kept, would continue
and bill unnoticed. Therefore the signal is only recorded, and the waiting code checks it.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar, cast

from google.api_core.exceptions import DeadlineExceeded

Answer = TypeVar("Answer")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StillCallingError(DeadlineExceeded):  # type: ignore[misc]
    """A call had no answer yet when the process stopped waiting for it."""


class Interruption:
    """Whether this process has been asked to stop."""

    def __init__(self) -> None:
        self.signal_name = ""
        """Name of the first signal that came, for example `SIGTERM`; empty while none has."""
        # A pipe: a handler may write to it at any moment, while an Event's lock may be held by the interrupted code.
        self._reader, self._writer = os.pipe()

    def wait(self, seconds: float) -> bool:
        """Sleeps; True at once when the process is, or already was, asked to stop."""
        readable, _, _ = select.select([self._reader], [], [], max(seconds, 0.0))
        return bool(readable)

    def bounded(self, call: Callable[[], Answer], seconds: float) -> Answer:
        """Answer of `call`, however long it takes; once the process is asked to stop, at most `seconds` more.

        Raises what `call` raises, and StillCallingError when it is given up: it then continues in a thread of its own,
        which ends with the process.
        """
        outcome: list[tuple[Answer | None, BaseException | None]] = []
        reader, writer = os.pipe()

        def run() -> None:
            try:
                outcome.append((call(), None))
            except BaseException as error:
                outcome.append((None, error))
            finally:
                os.close(writer)  # wakes the reader

        threading.Thread(target=run, name="call", daemon=True).start()
        try:
            select.select([reader, self._reader], [], [])
            if not outcome:
                select.select([reader], [], [], seconds)
        finally:
            os.close(reader)
        if not outcome:
            raise StillCallingError(f"no answer {seconds:.0f} s after {self.signal_name}")
        answer, error = outcome[0]
        if error is not None:
            raise error
        return cast("Answer", answer)

    def note(self, number: int, frame: FrameType | None) -> None:
        """The signal handler. A second Ctrl-C ends the process without any clean-up."""
        if self.signal_name:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.signal_name = signal.Signals(number).name
        os.write(self._writer, b"\0")

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


@contextmanager
def interruption() -> Iterator[Interruption]:
    """While the body runs, notes SIGTERM and SIGINT; outside the main thread no signal arrives."""
    asked = Interruption()
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.signal(number, asked.note) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        asked.close()
