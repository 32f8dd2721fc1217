"""Figures from times."""

import pytest

from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.load import Load, percentile


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([0.25], 0.25, 0.25), ([3.0, 1.0], 2.0, 2.9), ([4.0, 1.0, 3.0, 2.0], 2.5, 3.85), ([2.0] * 9, 2.0, 2.0)],
)
def test_percentiles_lie_between_the_two_nearest_ranks(values: list[float], p50: float, p95: float) -> None:
    assert (percentile(values, 50), percentile(values, 95)) == pytest.approx((p50, p95))


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
