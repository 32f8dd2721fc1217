"""At most five commands lead from an empty project to an answer; each command's output names the next."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import daemon
from tests.docs.own_cloud import persons_environment, serve_small_models

pytestmark = pytest.mark.slow

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell of a local cloud whose project bootstrap has prepared, with a model on its Hub."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "images.yaml").write_bytes(serve_small_models(tmp_path / "served").read_bytes())
    environment = persons_environment() | {"COLUMNS": "200"}
    connection = daemon.up(state)
    brought = environment | connection.environment
    ran(["local", "hub", MODEL, "--state", str(state)], tmp_path, brought)
    yield brought
    daemon.down(state)


def ran(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vertex_vllm", *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert answer.returncode == 0, answer.stderr
    return answer


def named(answer: subprocess.CompletedProcess[str], command: str) -> list[str]:
    """The words of the first `vertex-vllm COMMAND …` that the answer's last lines name, without `vertex-vllm`."""
    found = re.search(rf"^  vertex-vllm ({command} .*?)   # ", answer.stderr, re.MULTILINE)
    assert found is not None, answer.stderr
    return shlex.split(found[1])


def test_each_command_names_the_next_from_bootstrap_to_an_answer(shell: dict[str, str], tmp_path: Path) -> None:
    prepare = ["bootstrap", "--project", shell["GOOGLE_CLOUD_PROJECT"], "--region", "us-central1", "--no-hf-token"]
    answer, folder, typed = ran(prepare, tmp_path, shell), tmp_path, []
    for command in ("init", "plan", "submit", "ask"):
        words = [MODEL if word == "MODEL" else word for word in named(answer, command)]
        answer = ran(words, folder, shell)
        typed.append(words)
        if command == "init":
            folder = tmp_path / words[1]
    assert answer.stdout.strip()
    assert len(typed) <= 5
