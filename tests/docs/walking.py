"""Walks a page of the documentation as written: its `sh` blocks in one shell, their output compared with the page's."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = "=== block "

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """Commands of a page, and the lines that it shows of their output."""

    commands: str
    shown: tuple[str, ...]


def blocks_of(page: Path) -> list[Block]:
    """Every `sh` block, with the plain block that follows it."""
    found: list[Block] = []
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "sh":
            found.append(Block(text, ()))
        elif not language and found and not found[-1].shown:
            found[-1] = Block(found[-1].commands, tuple(text.splitlines()))
    return found


def walk(page: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Block, str]]:
    """Each block with its output, both streams; a line of the log when each begins.

    Raises AssertionError where a command of the page fails.
    """
    blocks = blocks_of(page)
    command = f'vertex-vllm() {{ "{sys.executable}" -m vertex_vllm "$@"; }}'
    script = [command, *(f"echo '{_MARK}{number}'\n{block.commands}" for number, block in enumerate(blocks))]
    output = ""
    with subprocess.Popen(
        ["bash", "-e", "-c", "\n".join(script)],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        assert shell.stdout is not None
        for line in shell.stdout:
            output += line
            if line.startswith(_MARK):
                number = int(line.removeprefix(_MARK))
                _log.info("block %d of %d\n%s", number + 1, len(blocks), blocks[number].commands.rstrip())
    outputs = re.split(rf"^{_MARK}\d+\n", output, flags=re.MULTILINE)[1:]
    assert shell.returncode == 0, f"{blocks[len(outputs) - 1].commands}\n{outputs[-1][-4000:]}"
    yield from zip(blocks, outputs, strict=True)


def missing_lines(shown: tuple[str, ...], output: str) -> list[str]:
    """Lines of the page that the output lacks in this order; `…` matches any text."""
    lines = iter(output.splitlines())
    return [line for line in shown if line.strip() and not any(_matches(line, each) for each in lines)]


def _matches(shown: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, shown.rstrip().split("…"))), line.rstrip()) is not None
