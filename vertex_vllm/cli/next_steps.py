"""The next commands to try, on standard error: standard output holds data only."""

import shlex
from collections.abc import Iterable

from vertex_vllm.cli.terminal import say


def say_next(*steps: tuple[str, Iterable[object]]) -> None:
    """Prints each step: a purpose, and the words of the `vertex-vllm` command that serves it."""
    if not steps:
        return
    say("\nNext:", err=True)
    for purpose, words in steps:
        say(f"  {command(*words)}   # {purpose}", err=True)


def command(*words: object) -> str:
    """`vertex-vllm` with these words, quoted for a shell; empty words are left out."""
    return shlex.join(["vertex-vllm", *(str(word) for word in words if word != "")])
