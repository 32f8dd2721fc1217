"""The memory model against real starts of vLLM on an H200, and its table in the documentation."""

import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from benchmarks.planner import DEFAULT, Row, read_rows, render, token_error, weight_error

ROWS = read_rows(DEFAULT)
STARTED = [row for row in ROWS if row.observed]
FAILED = [row for row in ROWS if not row.observed]
DOCUMENTATION = Path(__file__).resolve().parents[3] / "docs/planning.md"


def test_the_file_has_starts_and_failures() -> None:
    assert (len(STARTED), len(FAILED)) == (39, 4)


def test_weights_are_within_one_percent() -> None:
    assert [row.run for row in STARTED if abs(weight_error(row.ours, row)) > 0.01] == []


def test_cache_tokens_are_within_one_percent_at_the_median_and_three_at_worst() -> None:
    errors = [abs(token_error(row.ours, row)) for row in STARTED]
    assert median(errors) <= 0.01
    assert max(errors) <= 0.03


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
    printed = subprocess.run(arguments, cwd=DOCUMENTATION.parents[1], capture_output=True, text=True, check=True).stdout
    assert printed == render(ROWS)
    assert printed.partition("\n\n")[2] in documentation
