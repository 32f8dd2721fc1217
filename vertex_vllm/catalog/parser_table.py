"""Which of vLLM's parsers reads a family's tool calls and thoughts (parsers.yaml), by marks of its chat template."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

Kind = Literal["tools", "thoughts"]
# The variable of a chat template that holds the tools of a request; a template without it drops them.
TOOLS = "tools"
_VARIABLE = re.compile(r"\btools\b")


@dataclass(frozen=True)
class FamilyParsers:
    """A row of the table: a family of models and the parsers for it, the preferred first."""

    family: str
    parsers: tuple[str, ...]
    architectures: tuple[str, ...] = ()
    """Empty: any."""
    marks: tuple[str, ...] = ()
    """Texts that the chat template holds."""
    without: tuple[str, ...] = ()
    """Texts that it does not hold."""
    usual: tuple[str, ...] = ()
    """Architectures whose models are mostly of this family: the row holds for them where the template is not known."""
    needs: str = ""
    """Template of vLLM's examples that has to take the place of the model's own."""

    def matches(self, architecture: str, marks: Collection[str] | None) -> bool:
        if marks is None:
            return architecture in self.usual
        if self.architectures and architecture not in self.architectures:
            return False
        return set(self.marks) <= set(marks) and not set(self.without) & set(marks)


@dataclass(frozen=True)
class ParserTable:
    rows: Mapping[Kind, tuple[FamilyParsers, ...]]
    marks: tuple[str, ...]
    """Every text that some row looks for."""

    def family(self, kind: Kind, architecture: str, marks: Collection[str] | None) -> FamilyParsers | None:
        """The first row that matches; the architecture's usual one where the template does not mention tools.

        `marks` are None where the chat template is unknown.
        """
        found = next((row for row in self.rows[kind] if row.matches(architecture, marks)), None)
        if found is None and marks is not None and TOOLS not in marks:
            return self.family(kind, architecture, None)
        return found


def marks_of(template: str) -> tuple[str, ...]:
    """The marks that a chat template holds, with `tools` where it reads the tools of a request."""
    found = [mark for mark in parser_table().marks if mark in template]
    return (*found, *([TOOLS] if _VARIABLE.search(template) else []))


@cache
def parser_table() -> ParserTable:
    text = resources.files("vertex_vllm.catalog").joinpath("parsers.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    kinds: tuple[Kind, ...] = ("tools", "thoughts")
    rows: dict[Kind, tuple[FamilyParsers, ...]] = {kind: tuple(map(_row, content[kind])) for kind in kinds}
    marks = dict.fromkeys(_searched(row for kind in kinds for row in rows[kind]))
    return ParserTable(rows, tuple(marks))


def _searched(rows: Iterable[FamilyParsers]) -> Iterable[str]:
    for row in rows:
        yield from (*row.marks, *row.without)


def _row(fields: Mapping[str, Any]) -> FamilyParsers:
    return FamilyParsers(
        family=fields["family"],
        parsers=tuple(fields["parsers"]),
        architectures=tuple(fields.get("architectures", "").split()),
        marks=tuple(fields.get("marks", ())),
        without=tuple(fields.get("without", ())),
        usual=tuple(fields.get("usual", "").split()),
        needs=fields.get("needs", ""),
    )
