"""Words that a shell completes, read from this folder: no service is asked."""

import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem

VARIABLE = "_VERTEX_VLLM_COMPLETE"
"""The environment variable with which click's scripts ask the program for completions."""
_MOST_CONFIGS = 200


def deployments(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the deployments whose configs are below ./configs, each with its file."""
    found = {}
    for path in sorted(Path("configs").rglob("*.yaml"))[:_MOST_CONFIGS]:
        try:
            name = re.search(r"^name:[ \t]*([a-z0-9-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        except (OSError, UnicodeDecodeError):
            continue
        if name:
            found[name[1]] = str(path)
    return [CompletionItem(name, help=file) for name, file in found.items() if name.startswith(incomplete)]
