"""The boundary between a pipeline step and the process that runs it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from vertex_vllm.errors import VertexVllmError


@contextmanager
def step() -> Iterator[None]:
    """An error of ours ends the step with one line, the last of its log, and its exit code; others pass through.

    KFP would print a traceback of its own executor in front of the message, and that is what a console shows first.
    SIGTERM, by which Vertex AI cancels, ends it too, by way of everything that cleans up after itself.
    """
    with _told_to_stop():
        try:
            yield
        except VertexVllmError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            raise SystemExit(error.exit_code) from None


def write_artifact(path: str, text: str) -> None:
    """What a step puts out, as a file."""
    Path(path).write_text(text, encoding="utf-8")


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Python would end at once at SIGTERM, and an upload in parts be paid for until somebody finds it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # A second one is not to end the cleaning up.
    print("error: Stopped by SIGTERM", file=sys.stderr, flush=True)
    raise SystemExit(128 + number)
