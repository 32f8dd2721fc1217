"""Fates: what becomes of the long-running operation that a call starts, decided before its work could begin."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

from localcloud.core.api_errors import ApiError

if TYPE_CHECKING:
    from localcloud.core.long_running import OperationRun


class Fate:
    """An operation that runs for `after_seconds` and then fails with `error`, or, without one, never ends."""

    def __init__(self, error: ApiError | None, *, after_seconds: float = 0.0, ignores_cancel: bool = False) -> None:
        """`ignores_cancel`: a cancellation is taken, and changes nothing."""
        self.met = False
        self._error = error
        self._after_seconds = after_seconds
        self._ignores_cancel = ignores_cancel

    def befall(self, run: "OperationRun") -> NoReturn:
        """In the place of the operation's work."""
        ended = run.closing if self._ignores_cancel else run.cancelled
        ended.wait(self._after_seconds if self._error else None)
        if not self._ignores_cancel:
            run.raise_if_cancelled()
        raise self._error or ApiError("ABORTED", "The local cloud was stopped while this was running.")


_FATE: ContextVar[Fate | None] = ContextVar("fate", default=None)


@contextmanager
def decided(fate: Fate) -> Iterator[None]:
    """Calls that are executed inside start operations of this fate: of several, the first."""
    token = _FATE.set(fate)
    try:
        yield
    finally:
        _FATE.reset(token)


def take_fate() -> Fate | None:
    """That of the operation which is being started; None: it does its work."""
    fate = _FATE.get()
    if fate is None or fate.met:
        return None
    fate.met = True
    return fate
