"""The one way in which commands write to the terminal."""

import os
import sys
import textwrap

import click

from vertex_vllm.plain_text import json_without_commands, plain, without_commands
from vertex_vllm.redaction import redact


def columns() -> int | None:
    """Columns to lay text out for: those of COLUMNS, else of the terminal; None for a pipe or a file."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def prose_width() -> int:
    """Columns of a plan: the terminal's, as far as prose reads well; 100 for a pipe or a file."""
    return min(max(columns() or 100, 60), 120)


def fact(label: str, value: str, indent: int = 12) -> str:
    """A label and its value; on a terminal, a value that is too long continues below itself, its words whole."""
    width = columns()
    if width is None:
        return f"{label:<{indent}}{value}"
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent, wrapper.subsequent_indent = label.ljust(indent), " " * indent
    return wrapper.fill(value)


def say(text: object = "", *, err: bool = False, nl: bool = True, colour: str = "") -> None:
    """Prints `text`, with `err` on standard error; in a colour on a terminal, unless NO_COLOR is set.

    Secrets are redacted; control characters and commands of GitHub's runner are removed, because services, models and
    file names supply parts of the text.
    """
    shown = without_commands(plain(redact(str(text))))
    if colour and not os.environ.get("NO_COLOR"):
        shown = click.style(shown, fg=colour)
    click.echo(shown, err=err, nl=nl)


def say_json(text: str) -> None:
    """Prints JSON. Redaction keeps it valid JSON, with the same values except secrets."""
    click.echo(json_without_commands(redact(text)), nl=not text.endswith("\n"))
