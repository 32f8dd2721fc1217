"""Help texts: examples that can be copied, names that no line breaks, commands with their whole summary."""

import re
import textwrap
from collections.abc import Iterable

import click

# Wrapping breaks lines at a hyphen; U+2011 is one that it leaves alone.
_UNBROKEN = str.maketrans("-", "\u2011")
_BROKEN = str.maketrans("\u2011", "-")
_EXAMPLE = "Example: "


class HelpText(click.HelpFormatter):
    """Lays out `--help` like click, but keeps `--an-option` and `my-project` on one line, and an example as a command.

    An example that is wider than the terminal continues after a backslash, so that it can be pasted.
    """

    def write_text(self, text: str) -> None:
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                self.write("\n")
            if paragraph.startswith(_EXAMPLE):
                self.write(self._example(paragraph.removeprefix(_EXAMPLE)))
            else:
                super().write_text(paragraph.translate(_UNBROKEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, text.translate(_UNBROKEN)) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().translate(_BROKEN)

    def _example(self, command: str) -> str:
        margin = " " * self.current_indent
        width = self.width - len(margin) - len("      ")
        together = re.sub(r"(--[a-z-]+) (?=[^-\s])", "\\1\u00a0", command)  # An option and its value.
        lines = textwrap.wrap(together, width, break_on_hyphens=False, break_long_words=False)
        return f"{margin}Example:\n{margin}  " + f" \\\n{margin}    ".join(lines).replace("\u00a0", " ") + "\n"


class Group(click.Group):
    """A group whose help shows the first sentence of each command, however long."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(limit=1000)) for name, command in commands])
