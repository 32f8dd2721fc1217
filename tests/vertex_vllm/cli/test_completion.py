"""Completion in a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vertex_vllm.cli.documented_commands import vertex_vllm

ROOT = Path(__file__).resolve().parents[3]


def completed(words: str, folder: Path) -> list[str]:
    """The program's answers for a command line, as the script of bash asks for them."""
    line = f"vertex-vllm {words}"
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_VERTEX_VLLM_COMPLETE": "bash_complete"}
    environment = {**os.environ, **asked, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-m", "vertex_vllm"], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    return [each.partition(",")[2] for each in answer.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        ("tear", ["teardown"]),
        ("runs op", ["open"]),
        ("teardown --superseded mi", ["mistral", "mixtral"]),
        ("endpoints show mix", ["mixtral"]),
        ("catalog show g2-standard-1", ["g2-standard-12", "g2-standard-16"]),
        ("submit --pipeline ev", ["evaluate"]),
    ],
)
def test_commands_deployments_and_rows_are_completed(words: str, answers: list[str], tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    for name in ("mistral", "mixtral", "qwen"):
        (tmp_path / "configs" / f"{name}.yaml").write_text(f"# A comment.\nname: {name}\n")
    (tmp_path / "configs" / "broken.yaml").write_bytes(b"\xff")
    assert completed(words, tmp_path) == answers


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_that_of_the_shell_and_bash_takes_it(shell: str) -> None:
    answer = vertex_vllm("completion", shell)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"_VERTEX_VLLM_COMPLETE={shell}_complete" in answer.stdout
    if shell == "bash":
        script = f"{answer.stdout}\ncomplete -p vertex-vllm"
        told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert "_vertex_vllm_completion" in told.stdout
