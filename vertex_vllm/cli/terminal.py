"""The one way in which commands write to the terminal."""

import os
import sys

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
