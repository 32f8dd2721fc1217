"""From answers and times to figures, and from figures to a verdict."""

from dataclasses import replace

import pytest

from tests.vertex_vllm.evaluation.evaluations import ANSWERS, COMPLETIONS, EVALUATION, against, many
from vertex_vllm.errors import GateError
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.evaluate import Evaluation, Thresholds, metrics_of
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.gates import Gate, failed_gates, gates_of, require, verdict_of
from vertex_vllm.evaluation.load import Load, load_of
from vertex_vllm.evaluation.questioning import judge
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.rate_search import RateSearch
from vertex_vllm.load.samples import Sample
from vertex_vllm.load.slo import Slo


def test_the_figures_of_an_evaluation() -> None:
    assert metrics_of(EVALUATION) == {
        "questions": 4.0,
        "exact_match": 0.25,
        "failed_requests": 1.0,
        "empty_answers": 0.0,
        "load_concurrency": 2.0,
        "load_requests": 2.0,
        "load_failed_requests": 0.0,
        "load_timer_error_p99_seconds": 0.0,
        "latency_p50_seconds": 3.0,
        "latency_p95_seconds": pytest.approx(3.9),
        "inter_token_latency_p50_seconds": pytest.approx(0.075),
        "inter_token_latency_p95_seconds": pytest.approx(0.0975),
        "time_to_first_token_p50_seconds": 1.5,
        "time_to_first_token_p95_seconds": pytest.approx(1.95),
        "tokens_per_second_p50": 15.0,
        "tokens_per_second_p95": pytest.approx(19.5),
        "load_output_tokens_per_second": 13.0,
    }


def test_a_figure_that_was_not_measured_is_absent_rather_than_zero() -> None:
    assert metrics_of(COMPLETIONS) == {
        "questions": 1.0,
        "exact_match": 1.0,
        "failed_requests": 0.0,
        "empty_answers": 0.0,
        "load_concurrency": 2.0,
        "load_requests": 2.0,
        "load_failed_requests": 0.0,
        "load_timer_error_p99_seconds": 0.0,
        "latency_p50_seconds": 3.0,
        "latency_p95_seconds": pytest.approx(3.9),
    }


@pytest.mark.parametrize(
    ("evaluation", "thresholds", "failed"),
    [
        (EVALUATION, Thresholds(), ()),
        (EVALUATION, Thresholds(0.25, 0.0, 15.0), ()),
        (EVALUATION, Thresholds(min_exact_match=0.3), (Gate("exact_match", 0.25, 0.3, True),)),
        (
            EVALUATION,
            Thresholds(0.25, 1.0, 100.0),
            (
                # Two requests bound no 95th percentile.
                Gate("time_to_first_token_p95_seconds", None, 1.0, False),
                Gate("tokens_per_second_p50", 15.0, 100.0, True),
            ),
        ),
        # A gated figure without a value fails the gate.
        (
            COMPLETIONS,
            Thresholds(max_p95_time_to_first_token_seconds=1.0),
            (Gate("time_to_first_token_p95_seconds", None, 1.0, False),),
        ),
    ],
)
def test_the_thresholds_that_are_missed(
    evaluation: Evaluation, thresholds: Thresholds, failed: tuple[Gate, ...]
) -> None:
    assert failed_gates(replace(evaluation, thresholds=thresholds)) == failed


def test_a_missed_threshold_says_what_it_has_and_needs() -> None:
    with pytest.raises(GateError) as raised:
        require(replace(COMPLETIONS, thresholds=Thresholds(1.0, 1.5, 20.0)))
    assert str(raised.value).startswith(
        "demo: time_to_first_token_p95_seconds: have not measured, need at most 1.5. "
        "tokens_per_second_p50: have not measured, need at least 20. "
        "No run of demo has been promoted with an evaluation yet: this is the first. "
    )


def test_thresholds_that_are_met_pass_in_silence() -> None:
    require(replace(EVALUATION, thresholds=Thresholds(0.25, 0.0, 15.0)))


@pytest.mark.parametrize(
    ("before", "after", "passed", "told"),
    [
        (
            many(300, 100),
            many(299, 101),
            True,
            "Not worse than the baseline: 1 answers were lost and 0 gained among 400 questions; with 95% confidence "
            "the drop is at most 1.1 points, allowed are 5.0 points.",
        ),
        (
            many(300, 100),
            many(270, 130),
            False,
            "Worse than the baseline (exact test, p = 9.3e-10): 30 answers were lost and 0 gained among 400 questions; "
            "with 95% confidence the drop is at most 10.0 points, allowed are 5.0 points. Worse in geography (30 lost, "
            "0 gained of 400).",
        ),
        (
            many(30, 10),
            many(29, 11),
            False,
            "Undecided: 1 answers were lost and 0 gained among 40 questions; with 95% confidence the drop is at most "
            "10.5 points, allowed are 5.0 points, and the exact test shows no drop (p = 0.5). Ask at least 248 "
            "independent questions, or allow a larger regression.",
        ),
        (
            many(300, 100),
            many(300, 100, text="otherwise"),
            False,
            "Not worse than the baseline as a whole: 0 answers were lost and 0 gained among 400 questions; with 95% "
            "confidence the drop is at most 0.7 points, allowed are 5.0 points. The same model answers otherwise: 100 "
            "of 400 answers changed, with 95% confidence at least 21% of all, allowed are 10%.",
        ),
    ],
    ids=["not worse", "worse", "undecided", "otherwise"],
)
def test_the_verdict_against_a_baseline(before: Evaluation, after: Evaluation, passed: bool, told: str) -> None:
    assert verdict_of(against(after, before.answers)) == (passed, told)


def test_answers_of_another_commit_may_change() -> None:
    compared = against(many(300, 100, text="otherwise"), many(300, 100).answers, commit="b" * 40)
    assert verdict_of(compared)[0]
    assert [gate.figure for gate in gates_of(compared)] == ["drop_at_most", "worse_categories"]


def test_a_run_that_was_stopped_is_no_pass() -> None:
    stopped = replace(EVALUATION, answers=ANSWERS[:2], stopped="max_requests is reached: 2 requests were sent")
    assert verdict_of(stopped) == (
        False,
        "Only 2 of 4 questions were asked: max_requests is reached: 2 requests were sent. No run of demo has been "
        "promoted with an evaluation yet: this is the first.",
    )


def test_a_baseline_without_these_questions_is_no_pass() -> None:
    """Otherwise a changed suite would avoid the comparison."""
    assert verdict_of(against(EVALUATION, many(3, 1).answers)) == (
        False,
        "The baseline has an answer to none of these questions, so nothing was compared. To accept a run on another "
        "suite, set evaluation.baseline to none for it.",
    )


def test_questions_that_are_not_in_the_baseline_are_told() -> None:
    _, told = verdict_of(against(many(300, 100), many(300, 100).answers[:250]))
    assert "150 of 400 questions were left out, since the baseline has no answer to them." in told


def test_a_baseline_that_has_little_to_lose_is_told() -> None:
    passed, told = verdict_of(against(many(4, 396), many(4, 396).answers))
    assert passed
    assert "The baseline answers only 1.0% right, so no loss above the allowed one could be seen" in told


LIMIT = Thresholds(max_p95_time_to_first_token_seconds=2.0, min_tokens_per_second=5.0)


def loaded(count: int, failed: int) -> Evaluation:
    """A load of `count` requests, each with its first token after a second and ten tokens per second; some failed."""
    samples = [
        Sample(number, 0.0, 0.0, ended=0.1, error="HTTP 503: busy")
        if number < failed
        else Sample(number, 0.0, 0.0, 1.0, 2.0, 2.0, 11)
        for number in range(count)
    ]
    return replace(EVALUATION, thresholds=LIMIT, load=load_of(samples, LoadSettings(concurrency=count)))


@pytest.mark.parametrize(
    ("count", "failed", "first_token", "speed"),
    [
        (100, 0, 1.0, 10.0),
        (100, 4, 1.0, 10.0),
        # Failed requests are slower than any: the 95th percentile is among them, later the median is.
        (100, 6, None, 10.0),
        (100, 60, None, 0.0),
        # 71 requests do not bound a 95th percentile.
        (71, 0, None, 10.0),
    ],
)
def test_the_limits_of_a_load_count_its_failures_and_need_enough_requests(
    count: int, failed: int, first_token: float | None, speed: float
) -> None:
    have = {gate.figure: gate.have for gate in gates_of(loaded(count, failed))}
    assert have == {
        "time_to_first_token_p95_seconds": first_token,
        "tokens_per_second_p50": pytest.approx(speed),
    }


def test_failed_requests_of_the_load_are_told_in_the_verdict() -> None:
    assert "60 of 100 requests of the load failed, most often with: HTTP 503: busy." in verdict_of(loaded(100, 60))[1]


def test_a_search_that_a_cap_ended_is_told_by_its_rates() -> None:
    samples = tuple(Sample(n, 0.0, 0.0, 1.0, 2.0, 2.0, 11) for n in range(100))
    whole = load_of(samples, LoadSettings(concurrency=2, slo=Slo(end_to_end=60.0), find_highest_rate=True)).result
    assert whole is not None
    steps = (replace(whole.figures, rate=2.0), replace(whole.figures, rate=4.0, meets_slo=None, enough=False))
    result = replace(whole, search=RateSearch(steps, "max_usd was reached"), ended_by="max_usd")
    capped = replace(EVALUATION, load=Load(result))
    told = verdict_of(capped)[1]
    assert "max_usd ended the search for the highest rate after 2 rates." in told
    assert "measured requests" not in told
    page = render(capped)
    assert "max_usd ended the search for the highest rate.</p>" in page
    assert ("too few requests" in page, "missed</span>" in page) == (True, False)


def test_an_endpoint_that_refuses_every_question_is_no_pass() -> None:
    refused = tuple(judge(each.item, Reply("", 0.1, error="HTTP 400: no"), chat=True) for each in ANSWERS)
    passed, told = verdict_of(replace(EVALUATION, answers=refused, load=Load()))
    assert not passed
    assert told.startswith("No question was answered; the first: HTTP 400: no.")
