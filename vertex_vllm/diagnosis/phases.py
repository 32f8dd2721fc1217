"""How long each phase of a start took, as the log says, and which took longer than where it was measured."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from vertex_vllm.diagnosis.log_lines import LogLine

_MUCH_LONGER = 2.0
"""Times the usual seconds: machines differ, and disks and networks more."""


@dataclass(frozen=True)
class Phase:
    """One phase of a start."""

    name: str
    seconds: float
    note: str = ""
    """What is unusual about it; empty: nothing, or nobody has measured it."""


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    table = yaml.safe_load((files("vertex_vllm.diagnosis") / "start_phases.yaml").read_text(encoding="utf-8"))
    sources = table["sources"]
    return tuple(
        {
            **row,
            "pattern": re.compile(row["pattern"]),
            "source": sources[row["source"]]["what"] if "source" in row else "",
        }
        for row in table["phases"]
    )


def phase_marks() -> tuple[str, ...]:
    """Literals of the lines that end a phase, for the scanner."""
    return tuple(literal for row in _rows() for literal in row["lines"])


def phases_of(marks: Iterable[LogLine], weight_bytes: int = 0) -> tuple[Phase, ...]:
    """The phases in the order of the log; of one that several processes went through, the longest."""
    found: dict[str, float] = {}
    for line in marks:
        for row in _rows():
            match = row["pattern"].search(line.message)
            if match:
                seconds = float(match["seconds"]) + 60 * float(match.groupdict().get("minutes") or 0)
                found[row["name"]] = max(found.get(row["name"], 0.0), seconds)
    return tuple(Phase(name, seconds, _note(name, seconds, weight_bytes)) for name, seconds in found.items())


def slowest(phases: Iterable[Phase]) -> Phase | None:
    """The phase that took longest, of those that took much longer than usual."""
    return max((phase for phase in phases if phase.note), key=lambda phase: phase.seconds, default=None)


def _note(name: str, seconds: float, weight_bytes: int) -> str:
    row = next(row for row in _rows() if row["name"] == name)
    if "usual" not in row:
        return ""
    usual = row["usual"] + row.get("per_gb", 0.0) * weight_bytes / 1e9
    if seconds <= _MUCH_LONGER * usual or (row.get("per_gb") and not weight_bytes):
        return ""
    return f"usual are {usual:.0f} s ({row['source']})"
