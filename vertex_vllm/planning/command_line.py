"""The deployment's own arguments, as vLLM reads them: spellings, values as items of their own, dotted parts of JSON."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.rows import Flag
from vertex_vllm.errors import PlanError

WHERE = "serving.extra_args"


@dataclass(frozen=True)
class Argument:
    """An option of vLLM as given, with its values."""

    flag: str
    """As the catalogue spells it: long, with hyphens, without the `.key` of a dotted option."""
    text: tuple[str, ...]
    """As written on the command line."""
    value: str
    """Empty for a switch."""
    values: tuple[str, ...] = ()
    """Each value by itself; `--flag=` has one empty value."""


def parse_arguments(items: Iterable[str], catalog: Catalog) -> tuple[Argument, ...]:
    """Arguments as in a command line: `--flag=value`, or `--flag` and its values as items of their own.

    Raises PlanError for a value without an option before it, or an option and its value in one item.
    """
    arguments: list[Argument] = []
    for item in items:
        if not item.startswith("-") or re.fullmatch(r"-\d+(\.\d+)?", item):
            if not arguments:
                raise PlanError(
                    f"{item!r} belongs to no option", where=WHERE, fix="Begin with an option, as --flag=value"
                )
            last = arguments[-1]
            value = f"{last.value} {item}".strip()
            arguments[-1] = Argument(last.flag, (*last.text, item), value, (*last.values, item))
            continue
        name, given_one, value = item.partition("=")
        if re.search(r"\s", name):
            option, rest = name.split(maxsplit=1)
            raise PlanError(f"{option} and its value are one item", where=WHERE, fix=f"Write {option}={rest}")
        arguments.append(Argument(_canonical(name, catalog), (item,), value, (value,) if given_one else ()))
    return tuple(arguments)


def effective_values(arguments: Iterable[Argument]) -> dict[str, str]:
    """Option → value; the dotted parts of an option together are one JSON object, which replaces a plain value.

    As `FlexibleArgumentParser.parse_args` of vLLM 0.32.0 does; `--option.key+=a,b` is a list.
    """
    values: dict[str, str] = {}
    parts: dict[str, dict[str, object]] = {}
    for argument in arguments:
        keys = _keys(argument)
        if keys:
            _put(parts.setdefault(argument.flag, {}), keys, _parsed(argument))
        else:
            values[argument.flag] = argument.value
    return {**values, **{flag: json.dumps(part) for flag, part in parts.items()}}


def _keys(argument: Argument) -> list[str]:
    """Of `--hf-overrides.rope_scaling.factor`: rope_scaling and factor; empty for a plain option."""
    name = argument.text[0].partition("=")[0].removesuffix("+")
    return name.split(".")[1:]


def _parsed(argument: Argument) -> object:
    if argument.text[0].partition("=")[0].endswith("+"):
        return argument.value.split(",")
    try:
        parsed: object = json.loads(argument.value)
    except (ValueError, RecursionError):
        return argument.value
    return parsed


def _put(into: dict[str, object], keys: list[str], value: object) -> None:
    """Sets a nested key; objects are merged, lists joined, anything else is replaced."""
    first, *rest = keys
    old = into.get(first)
    if rest:
        inner = old if isinstance(old, dict) else {}
        into[first] = inner
        _put(inner, rest, value)
    elif isinstance(old, dict) and isinstance(value, dict):
        for key, each in value.items():
            _put(old, [key], each)
    elif isinstance(old, list) and isinstance(value, list):
        into[first] = old + value
    else:
        into[first] = value


def _canonical(name: str, catalog: Catalog) -> str:
    """vLLM reads underscores as hyphens, and `--option.key` as a part of `--option`."""
    if name.startswith("--"):
        return name.partition(".")[0].replace("_", "-")
    if name.startswith("-O"):
        return "-O"
    row = catalog.find_flag(name.partition(".")[0])
    return row.short_for if isinstance(row, Flag) and row.short_for else name
