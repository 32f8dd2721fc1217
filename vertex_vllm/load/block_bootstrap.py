"""Confidence intervals of rates and shares, from requests that may depend on each other."""

import random
from collections.abc import Sequence

from vertex_vllm.percentiles import CONFIDENCE, Estimate, percentile

_RESAMPLES = 1000


def estimate_mean(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean with its interval from a moving-block bootstrap, in the order of arrival.

    Blocks of consecutive requests keep what they have in common: a queue that all of them wait in (Künsch, "The
    jackknife and the bootstrap for general stationary observations", Annals of Statistics 17, 1989). A block has
    n^(1/3) values.
    The interval has no ends where there are fewer than 10. Raises ValueError for none.
    """
    count = len(values)
    if not count:
        raise ValueError("no values")
    mean = sum(values) / count
    if count < 10:
        return Estimate(mean, None, None)
    length = max(round(count ** (1 / 3)), 1)
    sums = [sum(values[start : start + length]) for start in range(count - length + 1)]
    blocks = -(-count // length)
    source = random.Random(f"bootstrap {seed}")
    means = [sum(source.choices(sums, k=blocks)) / (blocks * length) for _ in range(_RESAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    return Estimate(mean, percentile(means, tail), percentile(means, 100 - tail))
