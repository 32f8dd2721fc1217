"""Figures from times."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.load import Load, percentile

TIMES = st.lists(st.floats(0, 1000), min_size=2, max_size=50)


@given(TIMES, st.integers(1, 99))
def test_percentiles_are_those_of_the_standard_library(values: list[float], percent: int) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
    assert percentile(values, percent) == pytest.approx(expected)


def test_the_percentiles_of_one_value_are_that_value() -> None:
    assert (percentile([0.25], 50), percentile([0.25], 95)) == (0.25, 0.25)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("reply", "speed"),
    [
        # 21 tokens: one at 0.5 s, the other 20 in the 2 s after it.
        (Reply("text", 2.6, 0.5, 2.5, 21), 10.0),
        # One token has no speed, and neither have several that came at once.
        (Reply("text", 0.5, 0.5, 0.5, 1), None),
        (Reply("text", 0.5, 0.5, 0.5, 4), None),
        (Reply("text", 2.6), None),
    ],
)
def test_the_speed_of_one_answer_leaves_the_wait_for_it_out(reply: Reply, speed: float | None) -> None:
    assert reply.tokens_per_second == speed


@pytest.mark.parametrize(
    ("replies", "throughput"),
    [
        ((Reply("a", 2.0, 0.5, 2.0, 30), Reply("b", 4.0, 0.5, 4.0, 50), Reply("", 1.0, error="HTTP 500")), 20.0),
        ((Reply("a", 2.0), Reply("b", 4.0)), None),
    ],
)
def test_throughput_counts_all_requests_together(replies: tuple[Reply, ...], throughput: float | None) -> None:
    assert Load(2, replies, 4.0).output_tokens_per_second == throughput
