"""Values that each version of vLLM takes with each argument (arguments.yaml); only arguments need the table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from vertex_vllm.catalog.row_lookup import LOADER
from vertex_vllm.vllm_versions import VersionRange, version_key


@dataclass(frozen=True)
class Takes:
    """Values that consecutive checked versions accept for an argument. See the head of arguments.yaml."""

    first: str
    last: str
    takes: str
    choices: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    none: bool = False
    auto: bool = False
    any_case: bool = False
    negatable: bool = False
    count: str = ""
    """As argparse's nargs: empty, +, *, ? or a number."""
    short: tuple[str, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=dict)
    """`ge`, `gt`, `le`, `lt` → number."""

    def covers(self, version: str) -> bool:
        return version_key(self.first) <= version_key(version) <= version_key(self.last)


@dataclass(frozen=True)
class ParserNames:
    """Names of vLLM's tool and reasoning parsers, by version."""

    checked: tuple[str, ...]
    parsers: Mapping[str, tuple[tuple[str, str], ...]]
    """`tool:hermes` or `reasoning:qwen3` → first and last version of each range of versions that has it."""

    def versions(self, image: VersionRange | None) -> tuple[str, ...]:
        """Checked versions that an image may have; the nearest older one where none of its range was checked.

        Empty where the image's version is not known.
        """
        if image is None:
            return ()
        within = tuple(version for version in self.checked if image.holds(version))
        older = tuple(version for version in self.checked if version_key(version) <= version_key(image.latest))
        return within or older[-1:]

    def named(self, kind: str, version: str) -> tuple[str, ...]:
        """Of `tool` or `reasoning`, in alphabetical order."""
        return tuple(sorted(self._parsers(kind, version)))

    def _parsers(self, kind: str, version: str) -> Iterator[str]:
        at = version_key(version)
        for name, runs in self.parsers.items():
            if name.startswith(f"{kind}:") and any(version_key(a) <= at <= version_key(b) for a, b in runs):
                yield name.partition(":")[2]


@dataclass(frozen=True)
class ArgumentTable(ParserNames):
    arguments: Mapping[str, tuple[Takes, ...]]

    def takes(self, argument: str, version: str) -> Takes | None:
        return next((row for row in self.arguments.get(argument, ()) if row.covers(version)), None)


@cache
def parser_names() -> ParserNames:
    """Names of parsers, read without the table of arguments, which is ten times as long: every plan needs the names."""
    head, _, rest = _text().partition("\narguments:\n")
    parsers: dict[str, list[tuple[str, str]]] = {}
    for row in yaml.load(rest.partition("\nparsers:\n")[2], Loader=LOADER):
        parsers.setdefault(row["parser"], []).append((row["first"], row["last"]))
    checked = yaml.load(head, Loader=LOADER)["checked"]
    return ParserNames(tuple(checked), {name: tuple(runs) for name, runs in parsers.items()})


@cache
def argument_table() -> ArgumentTable:
    names = parser_names()
    arguments: dict[str, list[Takes]] = {}
    for row in yaml.load(_text(), Loader=LOADER)["arguments"]:
        arguments.setdefault(row["argument"], []).append(_takes(row))
    return ArgumentTable(names.checked, names.parsers, {name: tuple(rows) for name, rows in arguments.items()})


def _text() -> str:
    return resources.files("vertex_vllm.catalog").joinpath("arguments.yaml").read_text(encoding="utf-8")


def _takes(row: Mapping[str, Any]) -> Takes:
    return Takes(
        first=row["first"],
        last=row["last"],
        takes=row["takes"],
        choices=tuple(row.get("choices", ())),
        keys=tuple(row.get("keys", ())),
        none=row.get("none", False),
        auto=row.get("auto", False),
        any_case=row.get("any_case", False),
        negatable=row.get("negatable", False),
        count=row.get("count", ""),
        short=tuple(row.get("short", ())),
        bounds={name: row[name] for name in ("ge", "gt", "le", "lt") if name in row},
    )
