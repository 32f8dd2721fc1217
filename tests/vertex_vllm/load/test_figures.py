"""Figures of a load from the times of its requests."""

from dataclasses import replace

import pytest

from vertex_vllm.errors import InputError
from vertex_vllm.load.figures import LATE_SECONDS, figures_of
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.samples import Run, Sample
from vertex_vllm.load.slo import NO_SLO, Slo
from vertex_vllm.percentiles import Estimate

# Two seconds to the first token, then a token every 0.1 s.
ANSWERED = Sample(0, 0.0, 0.0, 2.0, 3.0, 3.0, 11, 5)


def many(count: int, gap: float = 1.0, **changes: float) -> tuple[Sample, ...]:
    """The same request again and again, one each `gap` seconds."""
    return tuple(
        replace(
            ANSWERED,
            number=number,
            scheduled=number * gap,
            started=number * gap + changes.get("late", 0.0),
            first_token=number * gap + 2.0,
            last_token=number * gap + 3.0,
            ended=number * gap + 3.0,
        )
        for number in range(count)
    )


def test_the_latencies_of_one_request() -> None:
    seconds = {name: ANSWERED.latency(name) for name in ("time_to_first_token", "inter_token_latency", "end_to_end")}
    assert seconds == {"time_to_first_token": 2.0, "inter_token_latency": 0.1, "end_to_end": 3.0}
    # Tokens that arrived from 2.5 s to 4 s: half of them.
    assert ANSWERED.tokens_between(2.5, 4.0) == 5.5


@pytest.mark.parametrize(
    ("slo", "met"),
    [
        (Slo(time_to_first_token=2.0, inter_token_latency=0.1, end_to_end=3.0), True),
        (Slo(time_to_first_token=1.9), False),
        (Slo(time_to_first_token=9.0, inter_token_latency=0.09), False),
        (Slo(end_to_end=2.9), False),
    ],
)
def test_a_request_is_good_within_every_limit(slo: Slo, met: bool) -> None:
    assert slo.met_by(ANSWERED) is met
    assert not slo.met_by(replace(ANSWERED, error="HTTP 500"))


def test_an_answer_of_one_token_has_no_inter_token_latency_to_exceed() -> None:
    assert Slo(inter_token_latency=0.1).met_by(replace(ANSWERED, output_tokens=1))
    # A prediction that is not streamed has no first token: its latency to the first token is unknown.
    assert not Slo(inter_token_latency=0.1).met_by(replace(ANSWERED, first_token=None))


def test_an_open_load() -> None:
    """100 requests, one a second: rates refer to the 99 s in which they arrived, and warm-up is left out."""
    warm_up = replace(ANSWERED, number=-1, warm_up=True, first_token=900.0, ended=999.0)
    samples = (*many(99), replace(many(100)[99], error="HTTP 429: too many", output_tokens=None))
    found = figures_of(Run((warm_up, *samples), (0.0,), 5.0), Slo(time_to_first_token=2.5), "short", rate=1.0)
    assert (found.requests, found.failed, found.errors) == (100, 1, {"HTTP 429: too many": 1})
    assert (found.seconds, found.sent_per_second) == (99.0, 1.0)
    assert found.completed_per_second == pytest.approx(97 / 99)
    # The answers of 96 requests came whole in that time, and the first token of another.
    assert found.output_tokens_per_second == pytest.approx(97 * 11 / 99)
    assert found.latencies["time_to_first_token"]["p95"] == Estimate(2.0, 2.0, 2.0)
    assert found.goodput_share is not None
    assert found.goodput_share.value == 0.99
    assert found.goodput_per_second == pytest.approx(0.99)
    assert (found.meets_slo, found.enough, found.saturated, found.fell_behind) == (True, True, False, False)


def test_an_slo_is_missed_when_more_requests_fail_or_are_slow_than_it_allows() -> None:
    slo = Slo(time_to_first_token=2.5, percentile=95)
    for bad, meets in ((5, True), (6, False)):
        samples = tuple(replace(sample, error="HTTP 500") if sample.number < bad else sample for sample in many(100))
        assert figures_of(Run(samples, (), 1.0), slo, "short", rate=1.0).meets_slo is meets


def test_a_queue_that_grows_is_saturation() -> None:
    # Each answer ends later than the one before by twice the gap of the arrivals.
    samples = tuple(replace(each, ended=each.scheduled * 2 + 3, last_token=None) for each in many(100))
    assert figures_of(Run(samples, (), 1.0), NO_SLO, "short", rate=1.0).saturated


def test_figures_of_a_generator_that_fell_behind_are_marked() -> None:
    late = figures_of(Run(many(100, late=2 * LATE_SECONDS), (), 1.0), NO_SLO, "short", rate=1.0)
    assert (late.fell_behind, late.timer_error_p99) == (True, pytest.approx(2 * LATE_SECONDS))
    # A closed loop has no schedule: the delay of the event loop is used instead.
    assert figures_of(Run(many(9), (0.2,), 1.0), NO_SLO, "short", concurrency=1).fell_behind
    assert not figures_of(Run(many(9), (0.001,), 1.0), NO_SLO, "short", concurrency=1).fell_behind


def test_too_few_requests_for_a_gated_percentile_are_refused_with_the_number_that_is_enough() -> None:
    settings = LoadSettings(requests=71, slo=Slo(time_to_first_token=1.0))
    with pytest.raises(InputError, match=r"71 requests are too few for the 95th percentile.*At least 72"):
        settings.check()
    assert replace(settings, requests=72).measured() == 72
    assert replace(settings, requests=0).measured() == 72
    assert LoadSettings(requests=1).measured() == 1
    assert LoadSettings(concurrency=4).measured() == 12
    assert LoadSettings(rate=20.0).measured(20.0) == 200
    with pytest.raises(InputError, match=r"needs an SLO"):
        LoadSettings(find_highest_rate=True).check()


def test_latencies_are_counted_from_the_moment_that_a_request_was_due() -> None:
    """Otherwise the wait for a late generator would be omitted, and latencies look better than they were."""
    late = replace(ANSWERED, scheduled=0.0, started=0.5)
    assert (late.latency("time_to_first_token"), late.latency("end_to_end")) == (2.0, 3.0)
    assert not Slo(time_to_first_token=1.9).met_by(late)


def test_a_load_that_was_cut_short_neither_meets_nor_misses_its_slo() -> None:
    found = figures_of(Run(many(71), (), 1.0), Slo(time_to_first_token=2.5), "short", rate=1.0)
    assert (found.enough, found.meets_slo) == (False, None)
    failing = tuple(replace(each, error="HTTP 500") for each in many(71))
    assert figures_of(Run(failing, (), 1.0), Slo(time_to_first_token=2.5), "short", rate=1.0).meets_slo is False


def test_tokens_that_some_answers_did_not_count_make_no_throughput() -> None:
    """A sum without them would be too low, and the price of a token too high."""
    samples = (*many(9), replace(many(10)[9], output_tokens=None))
    assert figures_of(Run(samples, (), 1.0), NO_SLO, "short", rate=1.0).output_tokens_per_second is None
