"""Prints, as JSON, the verdict of vLLM's own parser on argument lists: null if accepted, else the error message.

Runs in an environment that has vLLM's dependencies, as `vllm_introspection.py` does:

    .venv-vllm/bin/python tools/vllm_parser_verdicts.py FOLDER VERSION < LISTS.json
"""

import argparse
import importlib
import io
import json
import operator
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from vllm_introspection import (  # type: ignore[import-not-found]  # The script beside this one.
    PARSER_MODULES,
    bounds_of_fields,
    parser_of_server,
    parsers,
    prepare,
)

# Modules that load the server's templates: in 0.33, in 0.32, and before.
TEMPLATE_MODULES = (
    "vllm.renderers.chat_utils.chat_template",
    "vllm.renderers.chat_utils",
    "vllm.entrypoints.chat_utils",
)
BOUNDS = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}


def main(root: Path, version: str) -> None:
    lists: list[list[str]] = json.load(sys.stdin)
    answer = sys.stdout
    with redirect_stdout(sys.stderr):
        prepare(root, version)
        parser = parser_of_server()
        check = _set_up_check()
        limits = bounds_of_fields(parser)
        verdicts = [_complaint(parser, check, limits, arguments) for arguments in lists]
    json.dump(verdicts, answer)


def _complaint(
    parser: argparse.ArgumentParser, check: Any, limits: dict[str, dict[str, float]], arguments: list[str]
) -> str | None:
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(said):
        try:
            parsed = parser.parse_args(arguments)
            check(parsed)
        except SystemExit:
            return said.getvalue().strip().splitlines()[-1][:300] if said.getvalue().strip() else "refused"
        except Exception as error:  # Versions differ in the errors that they raise for refused arguments.
            return f"{type(error).__name__}: {error}"[:300]
    return next(chain(_out_of_bounds(vars(parsed), limits), _unknown_parsers(parsed), _template(parsed)), None)


def _out_of_bounds(parsed: dict[str, Any], limits: dict[str, dict[str, float]]) -> Iterator[str]:
    """Refusals by bounds of the config classes' fields, which vLLM checks when it sets up the engine."""
    for name, bounds in limits.items():
        value = parsed.get(name)
        if not isinstance(value, int | float):
            continue
        for bound, holds in BOUNDS.items():
            if bound in bounds and not holds(value, bounds[bound]):
                yield f"{name} must be {bound} {bounds[bound]:g}"


def _unknown_parsers(parsed: argparse.Namespace) -> Iterator[str]:
    """Refusals by `validate_api_server_args` before the server starts, according to the version's registries."""
    thinking = getattr(parsed, "reasoning_parser", "") or ""
    if thinking and thinking not in parsers("Reasoning"):
        yield f"invalid reasoning parser: {thinking}"
    if parsed.enable_auto_tool_choice and parsed.tool_call_parser not in parsers("Tool"):
        yield f"invalid tool call parser: {parsed.tool_call_parser}"


def _template(parsed: argparse.Namespace) -> Iterator[str]:
    """The server's refusal of --chat-template before it starts (`load_chat_template`)."""
    for module in TEMPLATE_MODULES:
        with suppress(ModuleNotFoundError, AttributeError):
            load = importlib.import_module(module).load_chat_template
            try:
                load(parsed.chat_template)
            except (OSError, ValueError) as error:
                yield f"{type(error).__name__}: {error}"[:300]
            return


def _set_up_check() -> Any:
    """The check that the server makes after parsing."""
    for module in PARSER_MODULES:
        with suppress(ModuleNotFoundError, AttributeError):
            return importlib.import_module(module).validate_parsed_serve_args
    return lambda parsed: None


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
