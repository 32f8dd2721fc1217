"""Every command that a page shows exists and has the options that the page gives it."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from vertex_vllm.cli import vertex_vllm

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shown(page: Path) -> Iterator[str]:
    """Commands in blocks, where a backslash joins two lines, and in the text."""
    fenced = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
    text = page.read_text().replace("\\\n", " ")
    for block in fenced.findall(text):
        yield from re.findall(r"(?:^ *|\$\()(vertex-vllm [^\n#)$]*)", block, re.MULTILINE)
    yield from re.findall(r"`(vertex-vllm [^`]*)`", fenced.sub("", text))


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the words after them; alternatives are joined by `|`."""
    command: click.Command = vertex_vllm
    while isinstance(command, click.Group) and words:
        name = words[0].partition("|")[0]
        found = command.get_command(click.Context(command), name)
        if found is None:
            assert command.name == "mirror" or name.startswith("-"), f"{command.name} has no command {name}"
            break
        command, words = found, words[1:]
    return command, words


def test_the_pages_show_commands() -> None:
    assert sum(len(list(shown(page))) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_shown_command_exists_and_has_its_options(page: Path) -> None:
    for line in shown(page):
        command, rest = command_of(line.partition(" -- ")[0].split()[1:])  # After it come another command's options.
        known = {option for parameter in command.params for option in parameter.opts}
        if isinstance(command, click.Group):  # `mirror MODEL` is `mirror copy MODEL`
            known |= {
                option
                for name in command.list_commands(click.Context(command))
                for parameter in (command.get_command(click.Context(command), name) or command).params
                for option in parameter.opts
            }
        used = [word.partition("=")[0].rstrip(",.;") for word in rest if re.match(r"--[a-z]", word)]
        assert [option for option in used if option not in known] == [], line
