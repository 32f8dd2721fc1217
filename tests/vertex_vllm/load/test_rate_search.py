"""The search for the highest rate, on simulated servers: a queue with a few workers."""

import heapq
import random
from dataclasses import replace

import pytest

from vertex_vllm.load.figures import LoadFigures, figures_of
from vertex_vllm.load.rate_search import MOST_STEPS, highest_rate
from vertex_vllm.load.samples import Run, Sample
from vertex_vllm.load.slo import Slo

SECONDS_TO_ANSWER, TOKENS = 0.5, 20
SLO = Slo(time_to_first_token=0.5)


def queue(rate: float, workers: int, timer_error: float = 0.0) -> LoadFigures:
    """Figures of requests that each keep one of `workers` busy; the first token comes when a worker takes it up."""
    source = random.Random(round(rate * 1000))
    free = [0.0] * workers
    now, samples = 0.0, []
    for number in range(max(round(rate * 60), 100)):
        now += source.expovariate(rate)
        begun = max(heapq.heappop(free), now)
        end = begun + SECONDS_TO_ANSWER
        heapq.heappush(free, end)
        samples.append(Sample(number, now - timer_error, now, begun + 0.01, end, end, TOKENS, 10))
    return figures_of(Run(tuple(samples), (), 1.0), SLO, "short", rate=rate)


def test_the_highest_rate_is_found_to_a_tenth_and_saturation_stops_the_doubling() -> None:
    found = highest_rate(lambda rate: queue(rate, workers=8), first_rate=1.0)
    # 8 workers finish 16 requests per second; some of that is lost to waiting.
    assert found.best is not None
    assert 12 <= found.best.rate < 16
    rates = [step.rate for step in found.steps]
    assert rates[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert max(rates) <= 32
    assert "miss the SLO" in found.ended_because
    assert found.saturation is not None
    assert found.saturation.output_tokens_per_second == pytest.approx(16 * TOKENS, rel=0.05)


def test_a_first_rate_that_is_too_high_is_halved() -> None:
    found = highest_rate(lambda rate: queue(rate, workers=2), first_rate=100.0)
    assert found.best is not None
    assert 1 <= found.best.rate < 4


def test_a_server_that_never_meets_the_slo_ends_the_search() -> None:
    def slow(rate: float) -> LoadFigures:
        sample = Sample(0, 0.0, 0.0, 2.0, 3.0, 3.0, TOKENS, 10)
        return figures_of(Run((sample,), (), 1.0), SLO, "short", rate=rate)

    found = highest_rate(slow, first_rate=1.0)
    assert found.best is None
    assert found.ended_because == "even 0.00781 requests/s miss the SLO"
    assert len(found.steps) < MOST_STEPS


def test_a_generator_that_fell_behind_ends_the_search() -> None:
    found = highest_rate(lambda rate: queue(rate, workers=10_000, timer_error=0.2), first_rate=1.0, most_late=0.1)
    assert found.ended_because == "the load generator fell behind at 1 requests/s"


def test_the_search_ends_when_it_is_told_to() -> None:
    answers = iter(["", "", "30 minutes, the limit, were over"])
    found = highest_rate(lambda rate: queue(rate, workers=8), 1.0, lambda: next(answers))
    assert (len(found.steps), found.ended_because) == (2, "30 minutes, the limit, were over")


def test_a_rate_that_was_cut_short_ends_the_search_without_a_verdict() -> None:
    def cut(rate: float) -> LoadFigures:
        return queue(rate, workers=8) if rate < 4 else replace(queue(rate, workers=8), enough=False, meets_slo=None)

    found = highest_rate(cut, first_rate=1.0)
    assert found.best is not None
    assert (found.best.rate, found.ended_because) == (
        2.0,
        "a cap was reached before enough requests were sent at 4 requests/s",
    )
