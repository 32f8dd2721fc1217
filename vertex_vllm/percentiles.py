"""Percentiles of independent samples, their confidence intervals, and how many samples a percentile needs."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

CONFIDENCE = 0.95
"""Confidence of every interval: two-sided, with equal tails."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its confidence interval. None at an end: the samples are too few to bound it there."""

    value: float
    low: float | None
    high: float | None


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the two nearest ranks, rank (n - 1) x percent / 100 counted from 0.

    The same as `statistics.quantiles(values, n=100, method="inclusive")[percent - 1]`, and numpy's default; defined for
    one value too. Raises ValueError for none.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def estimate_percentile(values: Sequence[float], percent: float) -> Estimate:
    """The percentile with its interval from order statistics, which assumes no form of distribution.

    Each end is interpolated between two order statistics (Nyblom, "Note on interpolated order statistics", Statistics &
    Probability Letters 14, 1992), so that the coverage is near the nominal one rather than above it. Independence
    is assumed: near saturation requests wait for each other, and the true interval is wider. Raises ValueError for no
    values.
    """
    ordered, share, tail = sorted(values), percent / 100, (1 - CONFIDENCE) / 2
    high = _lower_end([-value for value in reversed(ordered)], 1 - share, 1 - tail)
    return Estimate(percentile(ordered, percent), _lower_end(ordered, share, 1 - tail), None if high is None else -high)


def enough_samples(percent: float) -> int:
    """Fewest samples with which both ends of a percentile's interval are finite: 72 for p95, 368 for p99."""
    rarer = max(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(rarer))


def _lower_end(ordered: Sequence[float], share: float, level: float) -> float | None:
    """A value that the quantile `share` exceeds with probability `level`; None where n samples have none."""
    count = len(ordered)
    above = _exceedances(count, share)  # above[r]: probability that the r-th smallest is below the quantile.
    if count == 0 or above[1] < level:
        return None
    rank = bisect_right(above, -level, key=lambda chance: -chance) - 1
    if rank == count:
        return ordered[-1]
    odds = rank * (1 - share) * (level - above[rank + 1])
    against = (count - rank) * share * (above[rank] - level)
    weight = against / (odds + against) if odds + against else 0.0
    return (1 - weight) * ordered[rank - 1] + weight * ordered[rank]


@lru_cache(maxsize=256)
def _exceedances(count: int, share: float) -> tuple[float, ...]:
    """P(B >= r) for r = 0 … count, B binomial with `count` trials of probability `share`."""
    logs = [
        math.lgamma(count + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(count - hits + 1)
        + hits * math.log(share)
        + (count - hits) * math.log1p(-share)
        for hits in range(count + 1)
    ]
    tail, sums = 0.0, []
    for log in reversed(logs):
        tail += math.exp(log)
        sums.append(min(tail, 1.0))
    return tuple(sums[::-1])
