"""Whether a version of vLLM takes an argument's value: type, choices, bounds, JSON, count, partners, parser names."""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vertex_vllm.catalog.argument_table import ArgumentTable, Takes, argument_table
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.command_line import WHERE, Argument
from vertex_vllm.vllm_versions import VersionRange, version_key

# vLLM `human_readable_int`: 1k is 1000, 1K is 1024, decimals with the small letters alone.
_WITH_UNIT = re.compile(r"-?\d+|\d+(\.\d+)?[kmgt]|\d+[KMGT]", re.ASCII)
_WHOLE = re.compile(r"\s*[+-]?\d+(_\d+)*\s*", re.ASCII)
_BOUNDS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "ge": ("at least", lambda value, bound: value >= bound),
    "gt": ("more than", lambda value, bound: value > bound),
    "le": ("at most", lambda value, bound: value <= bound),
    "lt": ("less than", lambda value, bound: value < bound),
}
# Names that `validate_parsed_serve_args` requires together.
_PARTNERS = {
    "--enable-auto-tool-choice": "--tool-call-parser",
    "--enable-log-outputs": "--enable-log-requests",
    "--enable-reasoning": "--reasoning-parser",
}
# … before the version that no longer does (cli_args.py of 0.8.5.post1 and 0.9.0).
_PARTED = {"--enable-reasoning": "0.9.0"}
# … and the first that does (cli_args.py of 0.10.2 and 0.11.0).
_PARTNERED = {"--enable-log-outputs": "0.11.0"}
# … and names that it refuses together, or with more than one copy of the engine.
_APART = {
    "--enable-per-request-metrics": "--disable-log-stats",
    "--enable-prompt-embeds": "--enable-prompt-adapter",
}
_COPIES = ("--data-parallel-multi-port-external-lb",)
# JSON that was a Python literal before a version (`CompilationConfig.from_cli` of 0.8.5.post1 and 0.9.0).
_LITERALS = {"--compilation-config": "0.9.0", "-O": "0.9.0"}
# Choices that a version takes at one start and refuses at another: its parser takes one of two lists out of a set.
_BY_CHANCE = {("--guided-decoding-backend", "0.8.5.post1"): ("outlines", "lm-format-enforcer")}
# Needs a variable in the container's environment that nothing here sets (0.32.0: "requires VLLM_USE_RUST_FRONTEND=1").
_UNSERVED = ("--grpc-port",)
TOOL_PARSER = "--tool-call-parser"
PARSERS = {TOOL_PARSER: "tool", "--reasoning-parser": "reasoning"}
# Marks of a Jinja template that a path does not have (`load_chat_template`).
_TEMPLATE = re.compile(r"[{}\n]")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Fault:
    """A refusal of one version."""

    message: str
    fix: str
    certain: bool = True
    """False: some starts of the version accept what others refuse."""


def check_forms(
    arguments: Sequence[Argument], versions: VersionRange | None, of: str, tool_parser: str = ""
) -> tuple[str, ...]:
    """Doubts: values that some of the versions that an image may have refuse.

    `versions` are None for an image of unknown version: all known versions are asked. `of` names the image's vLLM;
    `tool_parser` is the one for the model's family, which is suggested. Raises PlanError for what every version refuses
    that has the option.
    """
    if not arguments:
        return ()
    table = argument_table()
    checked = table.versions(versions) if versions else table.checked
    whose = of if versions else f"every known vLLM, {checked[0]} to {checked[-1]},"
    doubts = []
    for argument in arguments:
        found = {
            version: _fault(argument, arguments, version, table)
            for version in checked
            if _has(argument, version, table)
        }
        refusing = {version: fault for version, fault in found.items() if fault is not None}
        if not refusing:
            continue
        last = list(refusing.values())[-1]
        if len(refusing) == len(found) and all(fault.certain for fault in refusing.values()):
            fix = _suggested(argument, tool_parser) or last.fix
            raise PlanError(f"{last.message}; {whose} refuses it", where=WHERE, fix=fix)
        doubts.append(f"{last.message} (vLLM {_told(tuple(refusing), checked)})")
    return tuple(doubts)


def _told(refusing: Sequence[str], checked: Sequence[str]) -> str:
    """Versions as ranges of consecutive checked versions: `0.6.2 to 0.9.2, 0.11.0`."""
    runs: list[list[str]] = []
    for version in refusing:
        follows = runs and checked.index(version) == checked.index(runs[-1][-1]) + 1
        if follows:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _suggested(argument: Argument, tool_parser: str) -> str:
    """A fix that names the family's own parser instead of a wrong or missing one; empty for other arguments."""
    if tool_parser and argument.flag in (TOOL_PARSER, "--enable-auto-tool-choice"):
        return f"Write {TOOL_PARSER}={tool_parser}, which is for this family of models"
    return ""


def _fault(argument: Argument, given: Sequence[Argument], version: str, table: ArgumentTable) -> Fault | None:
    takes = _takes(argument, version, table)
    return next(_faults(argument, takes, given, version, table), None) if takes else None


def _has(argument: Argument, version: str, table: ArgumentTable) -> bool:
    """Whether the version has the option. A version without it does not judge the value: flags.yaml decides there."""
    return _takes(argument, version, table) is not None


def _takes(argument: Argument, version: str, table: ArgumentTable) -> Takes | None:
    """The table's row; None: the version lacks the option, or the option is a fork's."""
    negated = argument.flag.startswith("--no-")
    name = f"--{argument.flag.removeprefix('--no-')}" if negated else argument.flag
    return table.takes(name, version) or table.takes(argument.flag, version)


def _faults(
    argument: Argument, takes: Takes, given: Sequence[Argument], version: str, table: ArgumentTable
) -> Iterator[Fault]:
    name = argument.flag
    dotted = "." in argument.text[0].partition("=")[0]
    values = argument.values
    if takes.takes == "switch":
        if values:
            yield Fault(f"{name} takes no value, not even {values[0]!r}", f"Write {name}, or leave it out")
    elif dotted:
        return
    elif not values:
        if takes.count not in ("*", "?"):
            yield Fault(f"{name} needs a value", f"Write {name}=…")
    elif len(values) > 1 and not takes.count:
        yield Fault(f"{name} takes one value, not {len(values)}", f"Write {name}={values[0]}")
    else:
        for value in values:
            if value not in _BY_CHANCE.get((name, version), ()):
                yield from _of_value(name, value, takes) if not _is_literal(name, value, version) else ()
            else:
                yield Fault(f"{name}={value} is taken at some starts and refused at others", "Leave it out", False)
    yield from _of_file(name, values)
    if name in PARSERS and values:
        yield from _of_parser(name, values[0], version, table, given)
    yield from _of_partner(name, given, version)


def _of_value(name: str, value: str, takes: Takes) -> Iterator[Fault]:
    optional = takes.none or "None" in takes.choices
    if (optional and value in ("", "None")) or (takes.auto and value == "auto"):
        return
    named = value.lower() if takes.any_case else value
    if takes.takes == "choice" and named not in takes.choices:
        yield Fault(f"{name} may not be {value!r}", f"Choose one of {', '.join(takes.choices)}")
    elif takes.takes in ("JSON", "text or JSON"):
        yield from _of_json(name, value, takes)
    elif takes.takes in _FORMS:
        kind, number = _FORMS[takes.takes]
        try:
            read = number(value)
        except ValueError:
            yield Fault(f"{name} must be {kind}, not {value!r}", "Write it in digits")
            return
        for bound, (words, holds) in _BOUNDS.items():
            if bound in takes.bounds and not holds(read, takes.bounds[bound]):
                yield Fault(f"{name} must be {words} {takes.bounds[bound]:g}, not {value}", "Choose another number")


def _is_literal(name: str, value: str, version: str) -> bool:
    if name not in _LITERALS or version_key(version) >= version_key(_LITERALS[name]):
        return False
    try:
        return isinstance(ast.literal_eval(value), dict)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False


def _of_json(name: str, value: str, takes: Takes) -> Iterator[Fault]:
    if takes.takes == "text or JSON" and not re.fullmatch(r"(?s)\s*\{.*\}\s*", value):
        return
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        yield Fault(f"{name} must be JSON, and {value[:80]!r} is not", f"Write {name}={{…}} with quotes around names")
        return
    unknown = sorted(set(parsed) - set(takes.keys)) if takes.keys and isinstance(parsed, dict) else []
    if takes.keys and not isinstance(parsed, dict):
        yield Fault(f"{name} must be a JSON object, not {value[:80]!r}", f"Write {name}={{…}}")
    elif unknown:
        yield Fault(f"{name} has no field {unknown[0]!r}", f"Its fields: {', '.join(takes.keys)}")


def _of_parser(name: str, value: str, version: str, table: ArgumentTable, given: Sequence[Argument]) -> Iterator[Fault]:
    known = table.named(PARSERS[name], version)
    # The server looks at the tool parser's name only when it is to be used (`validate_api_server_args`).
    if name == TOOL_PARSER and not _given("--enable-auto-tool-choice", given):
        return
    if known and value not in known and value:
        yield Fault(f"{name} may not be {value!r}", f"Choose one of {', '.join(known)}")


def _of_file(name: str, values: Sequence[str]) -> Iterator[Fault]:
    """Faults of files that the container lacks, and of adapters that it would fetch from the Hub without a token."""
    if name == "--chat-template" and values and not _TEMPLATE.search(values[0]) and not values[0].startswith("/"):
        yield Fault(
            f"--chat-template names a file, {values[0]!r}, that the container does not have",
            "Write the template itself as the value, or leave it out: the repository's own is taken",
        )
    if name == "--prompt-adapters":
        for value in (value for value in values if "=" not in value):
            yield Fault(f"--prompt-adapters may not be {value!r}", "Write NAME=PATH")
    if name == "--lora-modules":
        for value in values:
            path = adapter_path(value)
            if not path:
                yield Fault(f"--lora-modules may not be {value!r}", "Write NAME=PATH, or JSON with name and path")
            elif _HUB_ID.fullmatch(path):
                yield Fault(
                    f"--lora-modules names an adapter on the Hub, {path}: the container would fetch it at start, "
                    "without a token",
                    "Copy the adapter to Cloud Storage, and name its gs:// path",
                )


def adapter_path(value: str) -> str:
    """The path in a value of --lora-modules, `NAME=PATH` or JSON; empty where it has none."""
    if "=" in value and not value.startswith("{"):
        return value.partition("=")[2]
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return ""
    path = parsed.get("path") if isinstance(parsed, dict) and parsed.get("name") else None
    return path if isinstance(path, str) else ""


def _of_partner(name: str, given: Sequence[Argument], version: str) -> Iterator[Fault]:
    partner = _PARTNERS.get(name)
    parted = name in _PARTED and version_key(version) >= version_key(_PARTED[name])
    parted = parted or (name in _PARTNERED and version_key(version) < version_key(_PARTNERED[name]))
    if partner and not parted and not _given(partner, given):
        yield Fault(f"{name} needs {partner} beside it", f"Add {partner}, or leave {name} out")
    if name in _APART and _given(_APART[name], given):
        yield Fault(f"{name} may not be beside {_APART[name]}", f"Leave {_APART[name]} out")
    value = next((argument.value for argument in given if argument.flag == name), "")
    if name in _UNSERVED and value not in ("", "None"):
        yield Fault(f"{name} needs vLLM's Rust front end, which the container does not start", f"Leave {name} out")
    copies = next((argument.value for argument in given if argument.flag == "--data-parallel-size"), "1")
    if name in _COPIES and copies in ("0", "1"):
        yield Fault(f"{name} needs --data-parallel-size of more than 1", f"Leave {name} out")


def _given(flag: str, arguments: Sequence[Argument]) -> bool:
    return any(argument.flag == flag for argument in arguments)


def _integer(value: str) -> float:
    if not _WHOLE.fullmatch(value):
        raise ValueError(value)
    return int(value)


def _integer_with_unit(value: str) -> float:
    text = value.strip()
    if not _WITH_UNIT.fullmatch(text):
        raise ValueError(value)
    return float(re.sub(r"[a-zA-Z]", "", text)) * _UNITS.get(text[-1], 1)


_UNITS = {
    **{letter: 1000.0**power for power, letter in enumerate("kmgt", 1)},
    **{letter: 1024.0**power for power, letter in enumerate("KMGT", 1)},
}
_FORMS: Mapping[str, tuple[str, Callable[[str], float]]] = {
    "integer": ("a whole number", _integer),
    "integer with unit": ("a whole number, as 4096 or 4k", _integer_with_unit),
    "number": ("a number", float),
}
