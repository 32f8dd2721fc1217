"""Commands as a docs page shows them, run as a person would."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def commands_in(page: str, **values: str) -> list[list[str]]:
    """Every `vertex-vllm` line of the page's sh blocks, words in capitals replaced."""
    text = (ROOT / "docs" / page).read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("vertex-vllm ")]
    return [[values.get(word, word) for word in words] for words in found]


def vertex_vllm(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vertex_vllm", *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )
