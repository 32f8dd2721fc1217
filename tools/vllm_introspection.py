"""Prints, as JSON, the arguments and the tool and reasoning parsers of one vLLM version.

Runs in an environment that has vLLM's dependencies for a CPU (`.venv-vllm`), not in the project's own:

    .venv-vllm/bin/python tools/vllm_introspection.py FOLDER VERSION

FOLDER holds the unpacked `vllm` package. Its compiled parts are not needed: the argument parser and the registries are
Python. A module that the environment does not have is replaced by an empty one.
"""

import argparse
import dataclasses
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import io
import json
import os
import sys
import types
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

# Each probe is given to an argument's type function: the accepted ones show the kind of its values.
PROBES = ("abc", "1", "1.5", "1k", "{}", "[1]", "None", "", "{x}", '{"no_such_key": 1}', "-1", "0", "auto")
LIMITS = ("ge", "gt", "le", "lt")
# Modules with the API server's parser: in 0.33, in 0.32, and before.
PARSER_MODULES = tuple(f"vllm.entrypoints.{each}.cli_args" for each in ("common", "launchers", "openai"))


class _Nothing(type):
    """Metaclass of a missing class, which iterates over nothing and, as a decorator, changes nothing."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) and not options else super().__call__()

    def __iter__(cls) -> Iterator[Any]:
        return iter(())


class _Missing(types.ModuleType):
    """Stands for a module that the environment does not have: any name is an empty class."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _Nothing(
            name, (), {"__class_getitem__": classmethod(lambda cls, item: cls), "__iter__": lambda self: iter(())}
        )
        setattr(self, name, made)
        return made


class MissingModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last finder: imports from vLLM's own files never fail for a module that is not installed."""

    def __init__(self, root: Path) -> None:
        self.root = f"{root}/vllm/"

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        top = name.partition(".")[0]
        # Submodules of a replaced module are replaced for every importer: PyTorch imports Triton's.
        if top == "vllm" or not (isinstance(sys.modules.get(top), _Missing) or self._from_vllm()):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Missing(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []

    def _from_vllm(self) -> bool:
        frame: types.FrameType | None = sys._getframe(2)
        while frame and ("importlib" in frame.f_code.co_filename or frame.f_globals is globals()):
            frame = frame.f_back
        # vLLM takes a platform as present if the platform's library can be imported.
        asking = frame.f_code.co_filename if frame else ""
        return asking.startswith(self.root) and "/vllm/platforms/" not in asking


def prepare(root: Path, version: str) -> None:
    """Makes `import vllm` load the files in `root`, for a CPU and without plug-ins."""
    os.environ.update(VLLM_LOGGING_LEVEL="ERROR", VLLM_PLUGINS="", VLLM_TARGET_DEVICE="cpu", VLLM_NO_USAGE_STATS="1")
    sys.path.insert(0, str(root))
    installed = importlib.metadata.version
    # Platforms are recognised by the version's name: `0.26.0+cpu`.

    def version_of(distribution_name: str) -> str:
        return f"{version}+cpu" if distribution_name == "vllm" else installed(distribution_name)

    importlib.metadata.version = version_of
    sys.meta_path.append(MissingModules(root))
    with suppress(ImportError):
        from transformers.models.auto import configuration_auto

        register = configuration_auto.AutoConfig.register
        # A newer transformers has some of the models that an older vLLM brings itself.
        configuration_auto.AutoConfig.register = staticmethod(
            lambda model_type, config, exist_ok=True: register(model_type, config, exist_ok=True)
        )


def parser_of_server() -> argparse.ArgumentParser:
    """The parser of this version's API server."""
    make_arg_parser = _first("make_arg_parser", *PARSER_MODULES)
    kind = _first("FlexibleArgumentParser", "vllm.utils.argparse_utils", "vllm.utils")
    parser: argparse.ArgumentParser = make_arg_parser(kind())
    return parser


def _first(name: str, *modules: str) -> Any:
    """`name` from the first module that has it, because names move between versions. Raises ImportError."""
    for module in modules:
        with suppress(ModuleNotFoundError, AttributeError):
            return getattr(importlib.import_module(module), name)
    raise ImportError(f"no {name} in {', '.join(modules)}")


def arguments(parser: argparse.ArgumentParser) -> dict[str, dict[str, Any]]:
    """Long option → the form of its value."""
    limits = bounds_of_fields(parser)
    found = {}
    for action in parser._actions:
        long = [text for text in action.option_strings if text.startswith("--") and not text.startswith("--no-")]
        if not long or isinstance(action, argparse._HelpAction):
            continue
        row = _takes(parser, action)
        short = [text for text in action.option_strings if text not in long and not text.startswith("--no-")]
        row |= {"short": short} if short else {}
        row |= limits.get(action.dest, {}) if row["takes"] in ("integer", "integer with unit", "number") else {}
        for text in long:
            found[text] = row
    return dict(sorted(found.items()))


def _takes(parser: argparse.ArgumentParser, action: argparse.Action) -> dict[str, Any]:
    if action.nargs == 0:
        negatable = any(text.startswith("--no-") for text in action.option_strings)
        return {"takes": "switch", **({"negatable": True} if negatable else {})}
    row: dict[str, Any] = {}
    if action.nargs is not None:
        row["count"] = str(action.nargs)
    if type(action).__name__ == "StoreBoolean":
        # Its own check comes after argparse's (vllm/utils.py up to 0.8.4).
        return {"takes": "choice", "choices": ["false", "true"], **row, "any_case": True}
    if action.choices is not None:
        listed = [getattr(choice, "name", str(choice)) for choice in action.choices]
        choices = sorted(text for text in listed if _accepts(parser, action, text))
        row |= {"none": True} if "None" not in choices and _accepts(parser, action, "None") else {}
        any_case = all(_accepts(parser, action, text.upper()) for text in choices)
        row |= {"any_case": True} if any_case and [text.upper() for text in choices] != choices else {}
        return {"takes": "choice", "choices": choices, **row}
    taken = {text for text in PROBES if _accepts(parser, action, text)}
    return {"takes": _kind(taken), **row, **_details(action, taken)}


def _kind(taken: set[str]) -> str:
    if "abc" in taken:
        return "text" if "{x}" in taken else "text or JSON"
    if "{}" in taken or "[1]" in taken:
        return "JSON"
    if "1k" in taken:
        return "integer with unit"
    if "1.5" in taken:
        return "number"
    return "integer" if "1" in taken else "other"


def _details(action: argparse.Action, taken: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "abc" not in taken and "None" in taken:
        found["none"] = True
    if "abc" not in taken and "auto" in taken:
        found["auto"] = True
    keys = _keys(action.type)
    if "{}" in taken and '{"no_such_key": 1}' not in taken and keys:
        found["keys"] = keys
    return found


def _accepts(parser: argparse.ArgumentParser, action: argparse.Action, text: str) -> bool:
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        try:
            parser._check_value(action, parser._get_value(action, text))
        except Exception:
            return False
    return True


def _keys(reader: Any, depth: int = 4) -> list[str]:
    """Fields of the dataclass that a JSON value is read into, found in the reading function's closure."""
    if depth == 0 or reader is None:
        return []
    if isinstance(reader, type) and dataclasses.is_dataclass(reader):
        return sorted(field.name for field in dataclasses.fields(reader) if field.init)
    inner = [cell.cell_contents for cell in getattr(reader, "__closure__", None) or ()]
    inner += getattr(reader, "__defaults__", None) or ()
    for each in inner:
        if found := _keys(each, depth - 1):
            return found
    return []


def bounds_of_fields(parser: argparse.ArgumentParser) -> dict[str, dict[str, float]]:
    """Destination → bounds of the field in the config class that the argument's group is named for."""
    import vllm.config

    found: dict[str, dict[str, float]] = {}
    for group in parser._action_groups:
        config = getattr(vllm.config, group.title or "", None)
        if not dataclasses.is_dataclass(config):
            continue
        fields = getattr(config, "__pydantic_fields__", {})
        for action in group._group_actions:
            metadata = getattr(fields.get(action.dest), "metadata", ())
            bounds = {name: float(getattr(each, name)) for each in metadata for name in LIMITS if hasattr(each, name)}
            if bounds:
                found[action.dest] = bounds
    return found


def parsers(kind: str) -> list[str]:
    """Names that --tool-call-parser or --reasoning-parser takes; `kind` is `Tool` or `Reasoning`."""
    places = {
        "Tool": ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers"),
        "Reasoning": ("vllm.reasoning", "vllm.entrypoints.openai.reasoning_parsers"),
    }
    for place in places[kind]:
        with suppress(ImportError):
            manager = getattr(importlib.import_module(place), f"{kind}ParserManager", None)
            if manager is not None:
                return sorted({*_registered(manager, kind)})
    return []


def _registered(manager: Any, kind: str) -> Iterator[str]:
    if hasattr(manager, "list_registered"):
        yield from manager.list_registered()
    for name in (f"{kind.lower()}_parsers", "lazy_parsers"):
        yield from getattr(manager, name, {})


def main(root: Path, version: str) -> None:
    prepare(root, version)
    answer = sys.stdout
    with redirect_stdout(sys.stderr):
        found = {
            "version": version,
            "arguments": arguments(parser_of_server()),
            "tool_parsers": parsers("Tool"),
            "reasoning_parsers": parsers("Reasoning"),
        }
    json.dump(found, answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
