"""Runs side by side, and their rank."""

import math
from dataclasses import replace
from typing import Any

import pytest

from vertex_vllm.evaluation.run_results import (
    RunResult,
    comparison_rows,
    differing_parameters,
    is_candidate,
    ranked,
    result_of,
)

DOCUMENT: dict[str, Any] = {
    "format": "vertex-vllm-evaluation/1",
    "verdict": {"passed": True},
    "metrics": {
        "exact_match": 0.75,
        "slo_rate": 3.2,
        "latency_p95_seconds": 1.25,
        "usd_per_million_output_tokens": 2.5,
        "questions": True,
        "drop": math.nan,
        "lost_answers": 10**400,
    },
}
CHEAP = result_of("run-1", "SUCCEEDED", {"deployment": "a-try-1", "max_num_seqs": 64, "spot": False}, DOCUMENT)
DEAR = replace(
    CHEAP,
    name="run-2",
    parameters={"deployment": "a-try-2", "max_num_seqs": 256.0, "spot": False},
    metrics={**CHEAP.metrics, "usd_per_million_output_tokens": 4.0, "slo_rate": 1234.0},
)
UNMEASURED = RunResult("run-3", {"max_num_seqs": 512}, state="CANCELLED")


def test_a_result_holds_the_numbers_of_the_evaluation() -> None:
    assert CHEAP.passed
    assert CHEAP.metrics == {
        "exact_match": 0.75,
        "slo_rate": 3.2,
        "latency_p95_seconds": 1.25,
        "usd_per_million_output_tokens": 2.5,
    }
    assert result_of("run-3", "CANCELLED", {"max_num_seqs": 512}, None) == UNMEASURED


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "not a JSON object"),
        ("passed", "not a JSON object"),
        ({}, "its format is None, not 'vertex-vllm-evaluation/1'"),
        (DOCUMENT | {"format": "vertex-vllm-evaluation/2"}, "its format is 'vertex-vllm-evaluation/2'"),
        (DOCUMENT | {"metrics": None}, "metrics"),
        (DOCUMENT | {"metrics": []}, "metrics"),
        (DOCUMENT | {"verdict": None}, "verdict"),
        (DOCUMENT | {"verdict": {"passed": "false"}}, "verdict"),
    ],
)
def test_a_document_that_is_no_evaluation_is_refused(document: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        result_of("run-1", "SUCCEEDED", {}, document)


def test_parameters_that_are_lists_are_shown_as_json() -> None:
    runs = [
        RunResult(f"run-{n}", {"suite_levels": [1.0, n], "fallbacks": [{"region": "a", "max_replica_count": 2.0}] * n})
        for n in (1, 2)
    ]
    rows = comparison_rows(runs)[1]
    assert rows[1:] == [
        ("suite_levels", "[1, 1]", "[1, 2]"),
        (
            "fallbacks",
            '[{"region": "a", "max_replica_count": 2}]',
            '[{"region": "a", "max_replica_count": 2}, {"region": "a", "max_replica_count": 2}]',
        ),
    ]


def test_the_table_has_the_figures_that_some_run_has_and_the_parameters_that_differ() -> None:
    header, rows = comparison_rows([CHEAP, DEAR, UNMEASURED])
    assert header == ("", "run-1", "run-2", "run-3")
    assert rows == [
        ("verdict", "passed", "passed", "cancelled"),
        ("quality", "0.75", "0.75", "-"),
        ("SLO rate/s", "3.2", "1,234", "-"),
        ("p95 answer s", "1.25", "1.25", "-"),
        ("USD/M tokens", "2.5", "4", "-"),
        ("max_num_seqs", "64", "256", "512"),
        ("spot", "False", "False", "-"),
    ]
    assert differing_parameters([CHEAP, DEAR]) == {"max_num_seqs": (64, 256)}


def test_the_cheapest_token_ranks_first_and_what_failed_last() -> None:
    failed = replace(CHEAP, name="run-4", passed=False, metrics={"usd_per_million_output_tokens": 0.1})
    assert [each.name for each in ranked([UNMEASURED, DEAR, failed, CHEAP])] == ["run-1", "run-2", "run-4", "run-3"]
    assert [is_candidate(each) for each in (CHEAP, failed, UNMEASURED)] == [True, False, False]
