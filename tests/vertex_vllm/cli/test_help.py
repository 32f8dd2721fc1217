"""Help of every command and subcommand: it fits the terminal, has an example, and cuts nothing."""

from collections.abc import Iterator

import click
import pytest

from vertex_vllm.cli import vertex_vllm
from vertex_vllm.cli.catalog_command import TABLES


def contexts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """The words of each command, groups before their commands."""
    context = click.Context(command, parent=parent, info_name=name)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from contexts(found, each, context)


ALL = {context.command_path: context for context in contexts(vertex_vllm, "vertex-vllm")}


def text(context: click.Context, width: int) -> str:
    context.terminal_width = width
    return context.get_help()


@pytest.mark.parametrize("path", ALL)
def test_no_line_is_wider_than_the_terminal(path: str) -> None:
    for width in (80, 120):
        assert [line for line in text(ALL[path], width).splitlines() if len(line) > width] == []


@pytest.mark.parametrize("path", [path for path in ALL if path != "vertex-vllm"])
def test_each_command_has_an_example_of_itself(path: str) -> None:
    _, heading, example = text(ALL[path], 120).partition("\n  Example:\n")
    assert heading
    assert path.removesuffix(" copy") in example.partition("\n")[0]


@pytest.mark.parametrize("path", ALL)
def test_every_option_and_command_is_explained_in_whole_sentences(path: str) -> None:
    shown = text(ALL[path], 80)
    assert "..." not in shown.partition("\n")[2]
    assert [
        option.name for option in ALL[path].command.params if isinstance(option, click.Option) and not option.help
    ] == []


@pytest.mark.parametrize("path", ALL)
def test_names_are_not_broken_at_a_hyphen(path: str) -> None:
    assert [line for line in text(ALL[path], 80).splitlines() if line.endswith("-")] == []


def test_a_long_example_continues_after_a_backslash() -> None:
    assert (
        "  Example:\n    vertex-vllm doctor configs/llama-3.1-8b-instruct.yaml \\\n      --project my-project\n"
    ) in text(ALL["vertex-vllm doctor"], 80)


def test_the_help_of_the_catalogue_names_every_table() -> None:
    assert ", ".join(TABLES) in " ".join(text(ALL["vertex-vllm catalog list"], 80).split())
