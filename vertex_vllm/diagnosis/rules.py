"""The table of rules: the cause that a line of a log names, and the change of the config that removes it."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import re2
import yaml

Kind = Literal["cause", "symptom", "wrapper", "noise"]
"""cause: why it failed. symptom: what follows from a cause that the log may not hold, named when nothing better is.
wrapper: says only that something failed. noise: harmless, and never shown as a reason."""

When = Literal["start", "request", "any"]

ABOVE = "setting"
"""A group that every rule has: the setting that the line above names, where pydantic refuses it; else empty."""

# Files of `rules/`. Where two rules match one line equally well, the one of the earlier file comes first.
_TABLES = (
    "memory",
    "lengths_and_parallelism",
    "architecture",
    "argument_errors",
    "number_formats",
    "model_files",
    "adapters",
    "hub",
    "requests",
    "disks",
    "accelerators",
    "processes",
    "vertex_ai",
    "wrappers",
)


@dataclass(frozen=True)
class Change:
    """One change of a config that a rule proposes, its values still to be filled in from the line."""

    action: str
    """A name in `diagnosis/config_changes.py`."""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    id: str
    kind: Kind
    literals: tuple[str, ...]
    """A line that holds none of them is not looked at."""
    pattern: Any = None
    """RE2, which takes linear time; None: a literal is enough. Its groups fill `cause` and `explanation`."""
    cause: str = ""
    """The cause in one line; `{group}` is replaced by the pattern's group."""
    explanation: str = ""
    advice: str = ""
    """Where no field of a config removes the cause: what a person must do."""
    changes: tuple[Change, ...] = ()
    general: bool = False
    """Any other cause that the log names is nearer to the root."""
    when: When = "start"
    """request: named also where the server continues to serve."""
    phase: str = ""
    """load, profile, capture: only where the traceback is in that phase."""
    levels: tuple[str, ...] = ("", "ERROR", "CRITICAL")
    vllm: str = ""
    """Versions whose source or logs have the wording."""
    seen: tuple[str, ...] = ()
    """Logs, source lines and reports that hold the wording, each with its date."""

    def matches(self, message: str) -> dict[str, str] | None:
        """The pattern's groups if the line matches; None if not."""
        if not any(literal in message for literal in self.literals):
            return None
        if self.pattern is None:
            return {}
        found = self.pattern.search(message)
        return {name: value or "" for name, value in found.groupdict().items()} if found else None


@cache
def load_rules() -> tuple[Rule, ...]:
    """All rules, in the order of the tables. Raises ValueError for a row with unfilled groups or without a literal."""
    sources = _table("sources")
    return tuple(_rule(row, sources) for name in _TABLES for row in _table(name))


def _table(name: str) -> Any:
    return yaml.safe_load((files("vertex_vllm.diagnosis") / "rules" / f"{name}.yaml").read_text(encoding="utf-8"))


def _rule(row: dict[str, Any], sources: dict[str, str]) -> Rule:
    given = dict(row)
    pattern = given.pop("pattern", None)
    changes = tuple(_change(change) for change in given.pop("changes", ()))
    levels = tuple("" if level == "none" else level for level in given.pop("levels", ("none", "ERROR", "CRITICAL")))
    seen = tuple(_source(seen, sources) for seen in given.pop("seen", ()))
    try:
        rule = Rule(
            id=given.pop("id"),
            kind=given.pop("kind", "cause"),
            literals=tuple(given.pop("lines")),
            pattern=re2.compile(pattern) if pattern else None,
            changes=changes,
            levels=levels,
            seen=seen,
            **given,
        )
    except (KeyError, TypeError, re2.error) as error:
        raise ValueError(f"rules: {row.get('id', row)}: {error}") from error
    unfilled = set(re.findall(r"{(\w+)}", f"{rule.cause} {rule.explanation} {rule.advice}"))
    groups = {ABOVE, *(rule.pattern.groupindex if rule.pattern is not None else ())}
    if unfilled - groups or not rule.literals or not all(rule.literals):
        raise ValueError(f"rules: {rule.id}: no group for {sorted(unfilled - groups)}, or no literal")
    return rule


def _change(row: dict[str, Any]) -> Change:
    [(action, arguments)] = row.items()
    listed = arguments if isinstance(arguments, list) else [arguments]
    return Change(action, tuple(map(str, listed)))


def _source(text: str, sources: dict[str, str]) -> str:
    """`vllm 0.26: v1/x.py` and the like; a name before the first blank that `sources` has is written out."""
    name, _, rest = text.partition(" ")
    return f"{sources[name]} {rest}".strip() if name in sources else text
