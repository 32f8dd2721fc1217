"""From answers and times to figures, and from figures to a verdict."""

import json
from dataclasses import replace

import pytest

from vertex_vllm.errors import GateError
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.evaluate import Evaluation, Thresholds, judge, metrics_of
from vertex_vllm.evaluation.gates import Gate, failed_gates, require
from vertex_vllm.evaluation.load import Load
from vertex_vllm.evaluation.quality import Question

FRANCE = Question("france", "geography", "What is the capital of France?", ("Paris",))
SUM = Question("sum", "arithmetic", "What is 2 + 2?", ("4", "four"))
EVALUATION = Evaluation(
    endpoint="projects/1/locations/us-central1/endpoints/vllm-demo",
    deployment="demo",
    chat=True,
    started_at="2026-11-22T12:00:00+00:00",
    thresholds=Thresholds(),
    answers=(
        judge(FRANCE, Reply("Paris.", 0.4, 0.2, 0.4, 3), chat=True),
        judge(SUM, Reply("The answer is four.", 0.6, 0.2, 0.6, 5), chat=True),
        judge(FRANCE, Reply("London", 0.4, 0.2, 0.4, 2), chat=True),
        judge(SUM, Reply("", 0.1, error="HTTP 500: died"), chat=True),
    ),
    load=Load(2, (Reply("a", 2.0, 1.0, 2.0, 11), Reply("b", 4.0, 2.0, 4.0, 41)), 4.0),
)
# A model without a chat template: whole answers, nothing counted.
COMPLETIONS = replace(
    EVALUATION,
    chat=False,
    answers=(judge(FRANCE, Reply(" Paris\n\nQuestion: and of Peru?", 0.4), chat=False),),
    load=Load(2, (Reply("a", 2.0), Reply("b", 4.0)), 4.0),
)


def test_the_figures_of_an_evaluation() -> None:
    assert metrics_of(EVALUATION) == {
        "questions": 4.0,
        "exact_match": 0.25,
        "contains": 0.5,
        "failed_requests": 1.0,
        "load_concurrency": 2.0,
        "load_requests": 2.0,
        "latency_p50_seconds": 3.0,
        "latency_p95_seconds": pytest.approx(3.9),
        "time_to_first_token_p50_seconds": 1.5,
        "time_to_first_token_p95_seconds": pytest.approx(1.95),
        "tokens_per_second_p50": 15.0,
        "tokens_per_second_p95": pytest.approx(19.5),
        "load_output_tokens_per_second": 13.0,
    }


def test_what_was_not_measured_is_absent_rather_than_zero() -> None:
    assert metrics_of(COMPLETIONS) == {
        "questions": 1.0,
        "exact_match": 1.0,
        "contains": 1.0,
        "failed_requests": 0.0,
        "load_concurrency": 2.0,
        "load_requests": 2.0,
        "latency_p50_seconds": 3.0,
        "latency_p95_seconds": pytest.approx(3.9),
    }


@pytest.mark.parametrize(
    ("evaluation", "thresholds", "failed"),
    [
        (EVALUATION, Thresholds(), ()),
        (EVALUATION, Thresholds(0.25, 2.0, 15.0), ()),
        (EVALUATION, Thresholds(min_exact_match=0.3), (Gate("exact_match", 0.25, 0.3, True),)),
        (
            EVALUATION,
            Thresholds(0.25, 1.0, 100.0),
            (
                Gate("time_to_first_token_p95_seconds", pytest.approx(1.95), 1.0, False),
                Gate("tokens_per_second_p50", 15.0, 100.0, True),
            ),
        ),
        # A figure that was asked for and cannot be had is no pass.
        (
            COMPLETIONS,
            Thresholds(max_p95_time_to_first_token_seconds=1.0),
            (Gate("time_to_first_token_p95_seconds", None, 1.0, False),),
        ),
    ],
)
def test_the_gates_that_fail(evaluation: Evaluation, thresholds: Thresholds, failed: tuple[Gate, ...]) -> None:
    assert failed_gates(replace(evaluation, thresholds=thresholds)) == failed


def test_a_missed_threshold_says_what_it_has_and_needs() -> None:
    with pytest.raises(GateError) as raised:
        require(replace(COMPLETIONS, thresholds=Thresholds(1.0, 1.5, 20.0)))
    assert str(raised.value).startswith(
        "demo: time_to_first_token_p95_seconds: have not measured, need at most 1.5; "
        "tokens_per_second_p50: have not measured, need at least 20. "
    )


def test_thresholds_that_are_met_pass_in_silence() -> None:
    require(replace(EVALUATION, thresholds=Thresholds(0.25, 2.0, 15.0)))


def test_the_json_holds_every_answer_and_the_figures() -> None:
    written = json.loads(EVALUATION.to_json())
    assert [answer["answer"] for answer in written["answers"]] == ["Paris.", "The answer is four.", "London", ""]
    assert written["answers"][3]["reply"]["error"] == "HTTP 500: died"
    assert written["metrics"] == json.loads(json.dumps(metrics_of(EVALUATION)))
