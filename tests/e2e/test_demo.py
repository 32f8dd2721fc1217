"""`vertex-vllm demo`, as `make demo` runs it: to its end, and interrupted half way.

The small model server runs in the place of vLLM; `make test-all` runs the same tests with real vLLM.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from localcloud.process.process_table import started_with
from tests.canary import files_holding, watched_processes
from tests.demo_project import IMAGE_CONFIG, TEXT_CONFIG
from tests.vertex_vllm.model_server import PROGRAM
from tests.waiting import wait_until

pytestmark = pytest.mark.parity("local cloud only")

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


@pytest.fixture(
    params=["model_server.py", pytest.param("vllm_launcher", marks=[pytest.mark.vllm, pytest.mark.slow])],
    ids=["model server", "vLLM"],
)
def server(request: pytest.FixtureRequest) -> str:
    """A word in the command line of the process that serves."""
    return str(request.param)


def heed_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_demo(folder: Path, config: str, server: str, *flags: str) -> "subprocess.Popen[str]":
    """Starts a demo of one config. The temporary folder below `folder` marks every process and file of this demo.

    `flags`: of the model server.
    """
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "vertex_vllm", "demo", "--reports", str(folder / "reports")]
    if server == "model_server.py":
        row = {"image": "*vllm*", "command": ["{python}", PROGRAM, *flags]}
        (folder / "images.yaml").write_text(yaml.safe_dump({"images": [row]}))
        command += ["--images", str(folder / "images.yaml")]
    return subprocess.Popen(
        [*command, f"configs/{config}.yaml"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A background job of a shell ignores SIGINT, and so do its children; a program in a terminal does not.
        preexec_fn=heed_sigint,
    )


@pytest.mark.parametrize("breaking", SIGNALS, ids=lambda number: number.name)
@pytest.mark.slow
def test_a_demo_broken_off_while_it_deploys_leaves_nothing(
    tmp_path: Path, server: str, breaking: signal.Signals
) -> None:
    """A shell's Ctrl-C is SIGINT."""
    # Never healthy, so that the demo is still deploying when it is interrupted.
    demo, temporary = start_demo(tmp_path, TEXT_CONFIG, server, "--healthy-when=/nowhere/at/all"), tmp_path / "tmp"
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if "deploy-model" in line and "RUNNING" in line:
            # The container has started its server, so that a process could be left behind.
            wait_until(lambda: any(server in process for process in started_with(str(temporary))), every_seconds=0.2)
            demo.send_signal(breaking)
            break
    said += demo.stdout.readlines()
    assert demo.wait() != 0, "".join(said)
    wait_until(
        lambda: not started_with(str(temporary)), every_seconds=0.2
    )  # Orphans of a killed demo end after a while.
    if breaking is not signal.SIGKILL:
        assert "teardown-run         SUCCEEDED" in "".join(said), "".join(said)
        assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_demo_of_a_gated_model_ends_well_and_has_shown_its_token_nowhere(tmp_path: Path, server: str) -> None:
    """The demo's folder is searched when its run is over, before the demo deletes it."""
    found: list[str] = []
    tokens: set[bytes] = set()
    said = []
    with watched_processes() as commands:
        demo, temporary = start_demo(tmp_path, IMAGE_CONFIG, server), tmp_path / "tmp"
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
    # Steps and their runner are forks, whose command line is the fork server's.
    for program in ("localcloud.process.fork_server", "localcloud.daemon", server):
        assert commands.holding(program), program
    assert list(temporary.iterdir()) == []
