"""Makes untrusted text safe to print: it cannot control a terminal, a page or the log of a CI system."""

import re
import unicodedata

# GitHub takes a line that begins with "::", after blanks too, for a command, and "##[" anywhere in a line
# (actions/runner, src/Runner.Common/ActionCommand.cs, read 2026-11-30).
_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_OLD_COMMAND = "##["


def plain(text: str) -> str:
    """`text` without control characters and without those that reorder or hide text; line breaks and tabs stay."""
    return text if text.isprintable() else "".join(_shown(character) for character in text)


def whole_characters(text: str) -> str:
    """`text` with U+FFFD in the place of each half of a surrogate pair, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str) -> str:
    """As `plain`, with each run of blanks and line breaks as one space: for a name inside a sentence or a table."""
    return " ".join(plain(text).split())


def without_commands(text: str) -> str:
    """`text`, in which GitHub's runner finds no command, such as `::add-path::` at the start of a line."""
    return _COMMAND.sub(r"\1: ", text).replace(_OLD_COMMAND, "# #[")


def json_without_commands(text: str) -> str:
    """JSON of the same value, in which GitHub's runner finds no command."""
    return text.replace(_OLD_COMMAND, "#\\u0023[")


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return " " if unicodedata.category(character) == "Zs" else ""
