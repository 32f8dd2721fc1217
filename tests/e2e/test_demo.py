"""`vertex-vllm demo`, as `make demo` runs it, broken off half way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localcloud.process_table import started_with

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]

ROOT = Path(__file__).resolve().parents[2]


def wait_for_vllm(mark: str) -> None:
    """Until the container has started vLLM itself, so that there is something to leave behind."""
    deadline = time.monotonic() + 60
    while not any("vllm_launcher" in process for process in started_with(mark)):
        assert time.monotonic() < deadline, started_with(mark)
        time.sleep(0.2)


def wait_until_none(mark: str) -> list[str]:
    """What still runs after the grace that a killed demo's orphans take to notice."""
    deadline = time.monotonic() + 60
    while (left := started_with(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def heed_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("breaking", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_demo_broken_off_while_it_deploys_leaves_nothing(tmp_path: Path, breaking: signal.Signals) -> None:
    """The temporary folder marks every process and file of this demo; a shell's Ctrl-C is SIGINT."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    demo = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "vertex_vllm",
            "demo",
            "--reports",
            str(tmp_path / "reports"),
            "configs/smollm2-135m-instruct.yaml",
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A background job of a shell ignores SIGINT, and hands that on: somebody's own terminal does not.
        preexec_fn=heed_sigint,
    )
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if "deploy-model" in line and "RUNNING" in line:
            wait_for_vllm(str(temporary))
            demo.send_signal(breaking)
            break
    said += demo.stdout.readlines()
    assert demo.wait() != 0, "".join(said)
    assert wait_until_none(str(temporary)) == []
    if breaking is not signal.SIGKILL:
        assert "teardown-run         SUCCEEDED" in "".join(said), "".join(said)
        assert list(temporary.iterdir()) == []
