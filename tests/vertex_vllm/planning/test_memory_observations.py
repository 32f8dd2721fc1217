"""The memory model against real starts of vLLM on an H200, and its table in the documentation."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.planner import DEFAULT, Figures, Row, exceeded, read_rows, render

ROWS = read_rows(DEFAULT)
STARTED = [row for row in ROWS if row.observed]
FAILED = [row for row in ROWS if not row.observed]
DOCUMENTATION = Path(__file__).resolve().parents[3] / "docs/planning/memory.md"


def test_the_file_has_starts_and_failures() -> None:
    assert (len(STARTED), len(FAILED)) == (39, 4)


def test_weights_and_cache_are_within_the_bounds() -> None:
    assert exceeded(ROWS) == []


def test_a_bound_that_is_broken_is_told() -> None:
    """Observations with figures that are 5 % too large, and a failure that the plan would accept."""
    larger = [replace(row, ours=Figures(row.ours.weights * 1.05, row.ours.tokens * 1.05)) for row in STARTED]
    wrong = replace(FAILED[0], estimate=STARTED[0].estimate)
    told = exceeded([*larger, wrong])
    assert [sentence.partition(":")[0] for sentence in told[:3]] == [
        "weights at worst",
        "KV tokens at the median",
        "KV tokens at worst",
    ]
    assert told[3:] == [f"{FAILED[0].run} did not start and fits"]


@pytest.mark.parametrize("row", FAILED, ids=lambda row: row.run)
def test_a_start_that_failed_is_refused(row: Row) -> None:
    assert row.estimate.verdict == "does not fit"


@pytest.mark.parametrize("row", STARTED, ids=lambda row: row.run)
def test_a_start_that_succeeded_is_not_refused_and_lies_in_the_interval(row: Row) -> None:
    assert row.observed
    assert row.estimate.verdict != "does not fit"
    weights = row.estimate.terms[0].amount
    assert weights.low <= row.observed.weights <= weights.high * 1.001
    tokens = row.estimate.layout.tokens_in(
        int(row.estimate.cache.high // row.estimate.layout.block_bytes), row.estimate.start
    )
    assert row.observed.tokens <= tokens


def test_the_documentation_shows_the_command_and_what_it_prints() -> None:
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    command = next(line for line in documentation.splitlines() if line.startswith("python -m benchmarks."))
    arguments = [sys.executable, *command.split()[1:]]
    printed = subprocess.run(arguments, cwd=DOCUMENTATION.parents[2], capture_output=True, text=True, check=True).stdout
    assert printed == render(ROWS)
    assert printed.partition("\n\n")[2] in documentation
