"""Figures of two runs on the same items, such as seconds or tokens: the mean difference with its interval."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy

RESAMPLES = 4000
SEED = 20261130


@dataclass(frozen=True)
class Difference:
    """Means over the items that both runs measured; `difference` is candidate minus baseline."""

    items: int
    baseline: float
    candidate: float
    difference: float
    low: float
    high: float


def paired_difference(
    baseline: Sequence[float],
    candidate: Sequence[float],
    confidence: float,
    clusters: Sequence[Hashable] = (),
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """Mean difference and its two-sided studentised bootstrap interval; whole clusters are drawn.

    Drawing with replacement keeps the pairs (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters
    12 and 14); studentised because skewed figures, as times are, make the percentile interval too narrow. The same
    numbers always give the same interval. Raises ValueError for no items.
    """
    if len(baseline) == 0:
        raise ValueError("no items")
    before, after = numpy.asarray(baseline, float), numpy.asarray(candidate, float)
    sums, counts = _by_cluster(after - before, clusters)
    mean, error = _ratio(sums, counts)
    low = high = mean
    if len(sums) > 1 and error > 0:
        drawn = numpy.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
        means, errors = _ratio(sums[drawn], counts[drawn])
        told = errors > 0
        t = (means[told] - mean) / errors[told]
        beyond = (1 - confidence) / 2
        upper, lower = numpy.quantile(t, [1 - beyond, beyond]) if told.any() else (0.0, 0.0)
        low, high = mean - upper * error, mean - lower * error
    return Difference(len(before), float(before.mean()), float(after.mean()), float(mean), float(low), float(high))


def _by_cluster(differences: "numpy.ndarray", clusters: Sequence[Hashable]) -> "tuple[numpy.ndarray, numpy.ndarray]":
    if not clusters:
        return differences, numpy.ones(len(differences))
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for cluster, difference in zip(clusters, differences, strict=True):
        groups[cluster].append(difference)
    return (
        numpy.asarray([sum(group) for group in groups.values()]),
        numpy.asarray([float(len(group)) for group in groups.values()]),
    )


def _ratio(sums: "numpy.ndarray", counts: "numpy.ndarray") -> "tuple[numpy.ndarray, numpy.ndarray]":
    """Mean per item and its standard error between clusters, along the last axis."""
    clusters = sums.shape[-1]
    total = counts.sum(axis=-1)
    mean = sums.sum(axis=-1) / total
    residuals = sums - numpy.expand_dims(mean, -1) * counts
    squares = (residuals**2).sum(axis=-1) * clusters / max(clusters - 1, 1)
    return mean, numpy.sqrt(squares) / total
