"""`vertex-vllm demo`, as `make demo` runs it: to its end, and broken off half way."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localcloud.process_table import started_with
from tests.canary import files_holding, watched_processes

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


def start_demo(folder: Path, config: str) -> "subprocess.Popen[str]":
    """The temporary folder below `folder` marks every process and file of this demo."""
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "vertex_vllm", "demo", "--reports", str(folder / "reports"), f"configs/{config}"]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A background job of a shell ignores SIGINT, and hands that on: somebody's own terminal does not.
        preexec_fn=heed_sigint,
    )


@pytest.mark.parametrize("breaking", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_demo_broken_off_while_it_deploys_leaves_nothing(tmp_path: Path, breaking: signal.Signals) -> None:
    """A shell's Ctrl-C is SIGINT."""
    demo, temporary = start_demo(tmp_path, "smollm2-135m-instruct.yaml"), tmp_path / "tmp"
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


def test_a_demo_of_a_gated_model_ends_well_and_has_shown_its_token_nowhere(tmp_path: Path) -> None:
    """Its folder is looked through when its run is over, before the demo takes it away."""
    found: list[str] = []
    tokens: set[bytes] = set()
    said = []
    with watched_processes() as commands:
        demo, temporary = start_demo(tmp_path, "smollm2-135m-idefics3.yaml"), tmp_path / "tmp"
        assert demo.stdout is not None
        for line in demo.stdout:
            said.append(line)
            if "teardown-run" in line and "SUCCEEDED" in line:
                demo.send_signal(signal.SIGSTOP)
                for store in temporary.glob("*/secrets.db*"):
                    tokens |= set(re.findall(rb"hf_[0-9a-f]{34}", store.read_bytes()))
                found += [name for token in tokens for name in files_holding(token.decode(), temporary)]
                demo.send_signal(signal.SIGCONT)
        assert demo.wait() == 0, "".join(said)
    (token,) = (each.decode() for each in tokens)
    assert {name.partition("/")[2].partition("-")[0] for name in found} == {"secrets.db"}
    assert files_holding(token, tmp_path) == []
    assert token not in "".join(said)
    assert commands.holding(token) == []
    for program in ("validate_hf_token", "mirror_weights", "localcloud.pipelines.runner", "localcloud.container"):
        assert commands.holding(program), program
    assert list(temporary.iterdir()) == []
