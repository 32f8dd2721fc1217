"""Text of services, models and file names on a terminal, on a page and in a CI system's log is harmless."""

import ast
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.table import text_table
from vertex_vllm.cli.terminal import say, say_json
from vertex_vllm.pages import page_environment
from vertex_vllm.plain_text import one_line, plain, without_commands
from vertex_vllm.redaction import holds_secret

CLI = Path(__file__).resolve().parents[2] / "vertex_vllm" / "cli"
HOSTILE = "a\x1b[2J\x1b]0;title\x07b\u202ec\u2066d\x9be\u200bf\r\x08g"


def test_what_steers_a_terminal_or_reorders_text_is_removed() -> None:
    assert plain(HOSTILE) == "a[2J]0;titlebcdefg"
    assert plain("a\tb\nc\u00a0d é 漢") == "a\tb\nc d é 漢"
    assert one_line("a\n::error::b\tc") == "a ::error::b c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::add-path::/tmp", ": :add-path::/tmp"),
        ("x\n  ::set-env name=A::b", "x\n  : :set-env name=A::b"),
        ("x ##[add-path]/tmp", "x # #[add-path]/tmp"),
        ("a::b, gs://c", "a::b, gs://c"),
    ],
)
def test_no_line_is_a_command_of_githubs_runner(text: str, shown: str) -> None:
    assert without_commands(text) == shown


@given(st.text())
def test_all_that_is_printed_can_be_read_and_is_no_command(text: str) -> None:
    for told in (_printed(text), text_table(("name",), [(text,)])):
        assert all(character.isprintable() or character in "\n\t" for character in told)
        assert not any(line.strip().startswith("::") or "##[" in line for line in _printed(told).split("\n"))


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_stays_the_same_value(value: object) -> None:
    # Hypothesis also tries words of our own sources: a list of COOKIE and 0 is a cookie to the redaction.
    assume(not holds_secret(json.dumps({"value": value}, indent=2)))

    @click.command()
    def command() -> None:
        print_json({"value": value})

    told = CliRunner().invoke(command).stdout
    assert json.loads(told) == {"value": value}
    assert "##[" not in told


def test_json_of_a_file_name_that_is_a_command_stays_json() -> None:
    @click.command()
    def command() -> None:
        say_json(json.dumps({"path": "##[add-path]x"}))

    assert json.loads(CliRunner().invoke(command).stdout) == {"path": "##[add-path]x"}


def test_a_page_has_no_control_characters_of_what_it_shows() -> None:
    page = page_environment("vertex_vllm.evaluation").from_string("<p>{{ said }}</p>").render(said=HOSTILE)
    assert page == "<p>a[2J]0;titlebcdefg</p>"


def test_commands_print_by_one_function() -> None:
    """`click.echo` and `print` are called in `terminal.py` alone."""
    found = []
    for path in sorted(CLI.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("echo", "secho"):
                found.append(path.name)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append(path.name)
    assert set(found) == {"terminal.py"}


def _printed(text: str) -> str:
    @click.command()
    def command() -> None:
        say(text)

    return CliRunner().invoke(command).stdout
