"""Commands as a docs page shows them, run in this process as a person would run them in a shell."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from vertex_vllm.cli import main

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Answer:
    """The end of a command, with the fields of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def commands_in(page: str, **values: str) -> list[list[str]]:
    """Every `vertex-vllm` line of the page's sh blocks, words in capitals replaced."""
    text = (ROOT / "docs" / page).read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("vertex-vllm ")]
    return [[values.get(word, word) for word in words] for words in found]


def vertex_vllm(*arguments: str | Path, cwd: Path = ROOT, stdin: str = "") -> Answer:
    """Runs the command line in `cwd`. This process's Google clients and environment are the command's."""
    with chdir(cwd), _same_environment(), CliRunner().isolation(stdin) as (stdout, stderr, _):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Answer(code, stdout.getvalue().decode(), stderr.getvalue().decode())


@contextmanager
def _same_environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.pop("COLUMNS", None)  # As in a pipe, however wide the terminal of the tests is.
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
