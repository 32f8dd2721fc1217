"""Seconds of each phase of a start, as the log gives them, beside those that the plan expects."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from vertex_vllm.diagnosis.log_lines import LogLine

_MUCH_LONGER = 2.0
"""Times the expected seconds: machines differ, and disks and networks more."""


@dataclass(frozen=True)
class Phase:
    """One phase of a start."""

    name: str
    seconds: float
    expected: float = 0.0
    """Seconds that the plan expects; 0: the plan is unknown, or this phase was never measured."""

    @property
    def slow(self) -> bool:
        """It took more than twice the expected seconds."""
        return bool(self.expected) and self.seconds > _MUCH_LONGER * self.expected

    @property
    def note(self) -> str:
        """The comparison in words; empty where there is nothing to compare with."""
        if not self.expected:
            return ""
        return f"{'slow: ' if self.slow else ''}{self.expected:.0f} s expected"


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    table = yaml.safe_load((files("vertex_vllm.diagnosis") / "start_phases.yaml").read_text(encoding="utf-8"))
    return tuple({**row, "pattern": re.compile(row["pattern"])} for row in table["phases"])


def phase_marks() -> tuple[str, ...]:
    """Literals of the lines that end a phase, for the scanner."""
    return tuple(literal for row in _rows() for literal in row["lines"])


def phases_of(marks: Iterable[LogLine], expected: Mapping[str, float] | None = None) -> tuple[Phase, ...]:
    """The phases in the order of the log; of one that several processes went through, the longest.

    `expected` is the plan's `start_seconds`: name of the phase → seconds.
    """
    found: dict[str, float] = {}
    for line in marks:
        for row in _rows():
            match = row["pattern"].search(line.message)
            if match:
                seconds = float(match["seconds"]) + 60 * float(match.groupdict().get("minutes") or 0)
                found[row["name"]] = max(found.get(row["name"], 0.0), seconds)
    sums = {row["name"]: sum((expected or {}).get(name, 0.0) for name in row.get("expected", ())) for row in _rows()}
    return tuple(Phase(name, seconds, round(sums[name], 1)) for name, seconds in found.items())


def slowest(phases: Iterable[Phase]) -> Phase | None:
    """The longest of the phases that took much longer than expected; the whole start only if no other phase did."""
    slow = [phase for phase in phases if phase.slow]
    parts = [phase for phase in slow if phase.name not in ("in all", "engine")]
    return max(parts or slow, key=lambda phase: phase.seconds, default=None)
