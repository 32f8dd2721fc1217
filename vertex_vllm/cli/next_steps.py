"""The next commands to try, on standard error: standard output holds data only."""

import shlex
from collections.abc import Iterable

from vertex_vllm.cli.terminal import columns, say


def say_next(*steps: tuple[str, Iterable[object]]) -> None:
    """Prints each step: a purpose, and the words of the `vertex-vllm` command that serves it; above it if too wide."""
    if not steps:
        return
    say("\nNext:", err=True)
    width = columns()
    for purpose, words in steps:
        line = f"  {command(*words)}   # {purpose}"
        fits = width is None or len(line) <= width
        say(line if fits else f"  # {purpose}\n  {command(*words)}", err=True)


def command(*words: object) -> str:
    """`vertex-vllm` with these words, quoted for a shell; empty words are left out."""
    return shlex.join(["vertex-vllm", *(str(word) for word in words if word != "")])
