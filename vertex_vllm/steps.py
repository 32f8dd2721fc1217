"""The boundary between a pipeline step and the process that runs it."""

import json
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from vertex_vllm.errors import VertexVllmError
from vertex_vllm.plain_text import plain
from vertex_vllm.redaction import redact, redacted, redacting
from vertex_vllm.runs.cancellation import stopped_with


@contextmanager
def step(run: str = "") -> Iterator[None]:
    """A VertexVllmError ends the step with one line, the last of its log, and its exit code; others with a traceback.

    KFP would print a traceback of its own executor in front of the message, and that is what a console shows first.
    SIGTERM, with which Vertex AI cancels, also ends the step, with all clean-up; so does the cancellation of the
    pipeline job `run`, if the signal does not come. Secrets are redacted from everything that the step prints and logs.
    """
    # Imported here: commands that call no gRPC service use this module, too.
    from vertex_vllm.google.grpc_engine import keep_engine

    keep_engine()
    with redacting(), _told_to_stop(), stopped_with(run):
        try:
            yield
        except VertexVllmError as error:
            print(f"error: {plain(str(error))}", file=sys.stderr, flush=True)
            raise SystemExit(error.exit_code) from None
        except Exception:
            traceback.print_exc()  # Here, as the interpreter would print it when nothing redacts any more.
            raise SystemExit(1) from None


def write_artifact(path: str, text: str) -> None:
    """Writes an artifact of a step, with secrets redacted, because a model's answers are untrusted.

    JSON is read, its texts are redacted, and then it is written again.
    """
    Path(path).write_text(redact(_json_redacted(text)), encoding="utf-8")


def _json_redacted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    masked = redacted(value)
    return text if masked == value else json.dumps(masked, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Ends the body at SIGTERM with its clean-up. Without a handler Python would end at once, and an unfinished
    multipart upload would be billed until it is found."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # A second signal must not end the clean-up.
    print("error: Stopped by SIGTERM", file=sys.stderr, flush=True)
    raise SystemExit(128 + number)
