"""The boundary of a step, in a process of its own, as Vertex AI runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.vertex_vllm.mirror.test_mirror import bucket, client, model
from vertex_vllm.mirror import mirror_weights

__all__ = ["bucket", "client", "model"]

ROOT = Path(__file__).resolve().parents[2]
SIGTERM_CODE = 143


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=120
    )


def test_an_error_of_ours_is_one_line_and_its_exit_code() -> None:
    answer = run(
        "from vertex_vllm.errors import InputError\nfrom vertex_vllm.steps import step\n"
        "with step():\n    raise InputError('no such thing', where='here', fix='Do that.')"
    )
    assert (answer.returncode, answer.stderr) == (2, "error: here: no such thing. Do that.\n")


MIRROR = """
import os, signal, sys
from vertex_vllm.mirror import mirror_weights
from vertex_vllm.steps import step

def stop_us(progress):
    if progress.bytes_copied:
        os.kill(os.getpid(), signal.SIGTERM)

with step():
    mirror_weights(sys.argv[1], sys.argv[2], None, sys.argv[3], sys.argv[4], stop_us)
"""


def test_a_mirror_that_is_cancelled_ends_its_processes_and_is_gone_on_with(
    cloud: Any, model: tuple[str, str, str], project: str
) -> None:
    """The pipes end with the last process that holds them, so `run` would wait for one that was left."""
    answer = run(MIRROR, *model, project)
    assert answer.returncode == SIGTERM_CODE, answer.stderr
    assert answer.stderr.splitlines()[0] == "error: Stopped by SIGTERM"
    assert "Traceback" not in answer.stderr
    model_id, commit, uri = model
    assert mirror_weights(model_id, commit, None, uri, project).total_bytes > 0


@pytest.mark.parametrize("times", [1, 2])
def test_what_cleans_up_after_itself_does_so_however_often_the_signal_comes(times: int) -> None:
    answer = run(
        "import os, signal\nfrom vertex_vllm.steps import step\n"
        f"def kill():\n    for _ in range({times}):\n        os.kill(os.getpid(), signal.SIGTERM)\n"
        "with step():\n    try:\n        kill()\n    finally:\n        kill()\n        print('cleaned up')"
    )
    assert (answer.returncode, answer.stdout) == (SIGTERM_CODE, "cleaned up\n")
