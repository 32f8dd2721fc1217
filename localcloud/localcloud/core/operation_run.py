"""The run of a long-running operation, and the fate that a fault may give it before its work begins."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError

_LOG = logging.getLogger(__name__)


class OperationRun:
    """A running operation, which is passed to the function that does its work."""

    def __init__(self, name: str, show_progress: Callable[[str, Message], None]) -> None:
        """`show_progress`: of `Operations`; it is given the operation's name and metadata."""
        self.name = name
        self.cancelled = threading.Event()
        self.closing = threading.Event()
        self._show_progress = show_progress
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Calls `callback`, in another thread, when the operation is cancelled; at once when it has been."""
        with self._lock:
            self._callbacks.append(callback)
            late = self.cancelled.is_set()
        if late:
            callback()

    def raise_if_cancelled(self) -> None:
        """Raises ApiError CANCELLED, which ends the operation as cancelled."""
        if self.cancelled.is_set():
            raise ApiError("CANCELLED", "The operation was cancelled.")

    def update(self, metadata: Message) -> None:
        """Replaces the operation's metadata; the times in `generic_metadata` are kept up to date."""
        self._show_progress(self.name, metadata)

    def cancel(self) -> None:
        with self._lock:
            first = not self.cancelled.is_set()
            self.cancelled.set()
            callbacks = list(self._callbacks)
        for callback in callbacks if first else ():
            _call_quietly(callback)


class Fate:
    """The end of an operation, decided before its work begins: it runs for `after_seconds` and then fails with `error`.

    Without an error it never ends.
    """

    def __init__(self, error: ApiError | None, *, after_seconds: float = 0.0, ignores_cancel: bool = False) -> None:
        """`ignores_cancel`: a cancellation is accepted and changes nothing."""
        self.met = False
        self._error = error
        self._after_seconds = after_seconds
        self._ignores_cancel = ignores_cancel

    def befall(self, run: OperationRun) -> NoReturn:
        """Runs instead of the operation's work. Raises the error of the fate, or of a cancellation."""
        ended = run.closing if self._ignores_cancel else run.cancelled
        ended.wait(self._after_seconds if self._error else None)
        if not self._ignores_cancel:
            run.raise_if_cancelled()
        raise self._error or ApiError("ABORTED", "The local cloud was stopped while this was running.")


_FATE: ContextVar[Fate | None] = ContextVar("fate", default=None)


@contextmanager
def decided(fate: Fate) -> Iterator[None]:
    """The first operation that a call inside the context starts gets this fate."""
    token = _FATE.set(fate)
    try:
        yield
    finally:
        _FATE.reset(token)


def take_fate() -> Fate | None:
    """Returns, once, the fate of the operation being started; None: it does its work."""
    fate = _FATE.get()
    if fate is None or fate.met:
        return None
    fate.met = True
    return fate


def _call_quietly(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        _LOG.exception("a cancel callback failed")
