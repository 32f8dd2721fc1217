"""The boundary between a pipeline step and the process that runs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vertex_vllm.errors import VertexVllmError


@contextmanager
def step() -> Iterator[None]:
    """An error of ours ends the step with one line, the last of its log, and its exit code; others pass through.

    KFP would print a traceback of its own executor in front of the message, and that is what a console shows first.
    """
    try:
        yield
    except VertexVllmError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from None


def write_artifact(path: str, text: str) -> None:
    """What a step puts out, as a file."""
    Path(path).write_text(text, encoding="utf-8")
