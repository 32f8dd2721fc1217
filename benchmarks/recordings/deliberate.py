"""Differences from real services that are deliberate, or that a recording cannot judge: one list, with reasons."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import yaml

from benchmarks.recordings.replaying import Outcome

LIST = Path(__file__).with_name("deliberate_differences.yaml")


@dataclass(frozen=True)
class Row:
    """`request`: a pattern, as in a shell, of `METHOD URL`. `difference`: a regular expression for `missing .a.b`, or
    for `status 403 404`. `fixture`: a pattern; "": any recording. `judged`: false where the recording cannot be right
    or wrong: the exchange then counts neither for nor against the local cloud."""

    id: str
    request: str
    difference: str
    reason: str
    fixture: str = ""
    judged: bool = True

    def explains(self, outcome: Outcome, told: str) -> bool:
        asked = f"{outcome.exchange.method} {outcome.exchange.url}"
        return (
            fnmatchcase(asked, self.request)
            and (not self.fixture or fnmatchcase(outcome.fixture, self.fixture))
            and re.fullmatch(self.difference, told) is not None
        )


@cache
def load_rows() -> tuple[Row, ...]:
    return tuple(Row(**row) for row in yaml.safe_load(LIST.read_text())["differences"])


def load_unrecorded() -> dict[str, str]:
    """Reasons, by id, of differences that no recording has shown."""
    return {row["id"]: row["reason"] for row in yaml.safe_load(LIST.read_text())["unrecorded"]}


def told(outcome: Outcome) -> list[str]:
    """Every difference of an exchange, as text for the list's expressions."""
    if outcome.verdict == "status":
        return [f"status {outcome.exchange.status} {outcome.answer.status}"]
    return [f"{difference.kind} {difference.path}" for difference in outcome.differences]


def reasons(outcome: Outcome, rows: Iterable[Row]) -> list[Row]:
    """The rows that explain the differences of an exchange, one each; empty if a difference is unexplained."""
    listed = list(rows)
    found = [next((row for row in listed if row.explains(outcome, text)), None) for text in told(outcome)]
    explained = [row for row in found if row is not None]
    return explained if len(explained) == len(found) else []
