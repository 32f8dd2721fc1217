"""Percentiles and their intervals, beside scipy and by simulation."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vertex_vllm.load.block_bootstrap import estimate_mean
from vertex_vllm.percentiles import enough_samples, estimate_percentile, percentile

TIMES = st.lists(st.floats(0, 1000), min_size=2, max_size=50)
RUNS = 2000


@given(TIMES, st.integers(1, 99))
def test_percentiles_are_those_of_the_standard_library(values: list[float], percent: int) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
    assert percentile(values, percent) == pytest.approx(expected)


def test_the_percentiles_of_one_value_are_that_value() -> None:
    assert (percentile([0.25], 50), percentile([0.25], 95)) == (0.25, 0.25)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(("percent", "samples"), [(50, 6), (90, 36), (95, 72), (99, 368), (99.9, 3688)])
def test_so_many_samples_bound_a_percentile_and_fewer_do_not(percent: float, samples: int) -> None:
    assert enough_samples(percent) == samples
    enough = estimate_percentile([float(number) for number in range(samples)], percent)
    assert enough.low is not None
    assert enough.high is not None
    fewer = estimate_percentile([float(number) for number in range(samples - 1)], percent)
    assert None in (fewer.low, fewer.high)


@given(st.integers(100, 400), st.sampled_from([50, 90, 95]))
def test_an_end_is_between_the_two_order_statistics_that_scipy_names(count: int, percent: int) -> None:
    """Ranks are the values, so that an end is a rank: the exact one lies between two whole ones."""
    found = estimate_percentile([float(rank) for rank in range(1, count + 1)], percent)
    lower = stats.binom.ppf(0.025, count, percent / 100)
    assert found.low is not None
    assert lower <= found.low <= lower + 1


@pytest.mark.parametrize(("count", "percent"), [(100, 95), (400, 99), (72, 50)])
def test_the_interval_covers_the_true_percentile_as_often_as_it_says(count: int, percent: float) -> None:
    source = random.Random(1)
    truth = -math.log(1 - percent / 100)  # Of the exponential distribution with mean 1.
    below = above = 0
    for _ in range(RUNS):
        found = estimate_percentile([source.expovariate(1) for _ in range(count)], percent)
        assert found.low is not None
        assert found.high is not None
        below, above = below + (found.high < truth), above + (found.low > truth)
    assert (RUNS - below - above) / RUNS == pytest.approx(0.95, abs=0.01)


def test_the_bootstrap_of_requests_that_wait_for_each_other_is_wider_than_one_of_independent_ones() -> None:
    alternating, clustered = [0.0, 1.0] * 150, [0.0] * 150 + [1.0] * 150
    narrow, wide = estimate_mean(alternating), estimate_mean(clustered)
    assert (narrow.value, wide.value) == (0.5, 0.5)
    assert narrow.low is not None
    assert wide.low is not None
    assert narrow.low > wide.low
    assert estimate_mean([1.0] * 9).low is None
    with pytest.raises(ValueError, match="no values"):
        estimate_mean([])
