"""`submit --local`: a config tried on this machine in one command."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from localcloud import daemon
from tests.e2e.test_scheduled_runs import put_model
from tests.vertex_vllm.model_server import PROGRAM
from tests.vertex_vllm.suite_answers import answers_of

pytestmark = pytest.mark.parity("local cloud only")

ROOT = Path(__file__).resolve().parents[2]
_PYTHON_PATH = f"{ROOT}{os.pathsep}{ROOT / 'localcloud'}"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A checkout's configs, and a local cloud that this test alone starts and ends."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    yield tmp_path
    daemon.down(tmp_path / ".local-cloud")


@pytest.mark.slow
def test_the_cloud_is_started_then_used_and_a_model_that_is_not_there_is_named(folder: Path) -> None:
    config = folder / "small.yaml"
    config.write_text("name: small\nmodel:\n  id: team/small\n")
    submit = ("submit", str(config), "--pipeline", "mirror", "--local", "--wait")
    refused = vertex_vllm(*submit, cwd=folder)
    assert refused.returncode == 2
    assert "team/small is not on the local Hub. Put it there: vertex-vllm local hub team/small" in refused.stderr
    cloud = daemon.status(folder / ".local-cloud")
    assert cloud is not None
    put_model(cloud, folder / "model", "team/small")
    mirrored = vertex_vllm(*submit, cwd=folder)
    assert mirrored.returncode == 0, mirrored.stderr
    assert mirrored.stdout.startswith("projects/")
    again = daemon.status(folder / ".local-cloud")
    assert again is not None
    assert again.pid == cloud.pid
    followed = next(line for line in mirrored.stderr.splitlines() if line.startswith("eval"))
    shown = shell(followed, folder)
    assert "SUCCEEDED" in shown.stdout, shown.stderr


@pytest.mark.slow
def test_a_gated_model_of_the_demo_s_is_put_on_the_hub_with_a_token_that_opens_it(folder: Path) -> None:
    submit = ("submit", "configs/smollm2-135m-idefics3.yaml", "--pipeline", "mirror", "--local", "--wait")
    for _ in range(2):
        answer = vertex_vllm(*submit, cwd=folder)
        assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("serving", ["model server", pytest.param("vLLM", marks=[pytest.mark.vllm, pytest.mark.slow])])
@pytest.mark.slow
def test_the_page_s_commands_work(folder: Path, serving: str) -> None:
    if serving == "model server":
        (folder / ".local-cloud").mkdir()
        questions = folder / ".local-cloud" / "questions.jsonl"
        questions.write_text(answers_of("text-small"), encoding="utf-8")
        row = {"image": "*vllm*", "command": ["{python}", PROGRAM, f"--questions={questions}"]}
        (folder / ".local-cloud" / "images.yaml").write_text(yaml.safe_dump({"images": [row]}))
    # The page's later sections have tests of their own.
    page = (ROOT / "docs" / "local-cloud.md").read_text().partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    answer = shell("\n".join(blocks), folder)
    assert answer.returncode == 0, answer.stderr
    assert daemon.status(folder / ".local-cloud") is None


def vertex_vllm(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: this one's Google clients are bound to the session's local cloud."""
    command = [sys.executable, "-m", "vertex_vllm", *arguments]
    environment = os.environ | {"PYTHONPATH": _PYTHON_PATH}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": _PYTHON_PATH}
    return subprocess.run(
        ["bash", "-ec", script], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
