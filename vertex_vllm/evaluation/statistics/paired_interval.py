"""How much worse may the candidate be? A score interval for the difference of two paired shares."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from vertex_vllm.evaluation.statistics.student import student_quantile

_STEPS = 60  # Halvings: the interval of length 2 becomes smaller than the resolution of a float.


@dataclass(frozen=True)
class PairedCounts:
    """Items of two runs. `lost` were right in the baseline only, `gained` in the candidate only."""

    items: int
    lost: float
    gained: float
    effective_items: float
    """Effective number of independent items: fewer than `items` where the items of a cluster agree."""
    clusters: int = 0
    """From which the effective items were estimated; 0: every item is its own cluster, so nothing was estimated."""

    def items_at(self, tail: float) -> float:
        """Effective items for an interval that leaves `tail` beyond one end: fewer where clusters are few.

        The design effect is estimated from the clusters, so Student's quantile stands for the normal one (Korn and
        Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from
        survey data", Survey Methodology 24, 1998). A single cluster counts as a single item.
        """
        if not self.clusters:
            return self.effective_items
        if self.clusters == 1:
            return 1.0
        share = NormalDist().inv_cdf(1 - tail) / student_quantile(1 - tail, self.clusters - 1)
        return max(self.effective_items * share**2, 1.0)

    @property
    def drop(self) -> float:
        """Share right in the baseline minus share right in the candidate; negative: the candidate is better."""
        return (self.lost - self.gained) / self.items


def paired_counts(
    baseline: Sequence[bool], candidate: Sequence[bool], clusters: Sequence[Hashable] = ()
) -> PairedCounts:
    """Counts with the design effect of the clusters (empty: every item is its own).

    The design effect is the variance of the drop between clusters over the variance if items were independent, at least
    1 (Rao and Scott, "A simple method for the analysis of clustered binary data", Biometrics 48, 1992). Without any
    difference and with a single cluster it is not known; then each cluster counts once. Raises ValueError for no items.
    """
    if not baseline:
        raise ValueError("no items")
    differences = [int(before) - int(after) for before, after in zip(baseline, candidate, strict=True)]
    lost, gained, items = differences.count(1), differences.count(-1), len(differences)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for place, difference in enumerate(differences):
        groups[clusters[place] if clusters else place].append(difference)
    if len(groups) == items:
        return PairedCounts(items, lost, gained, items)
    if lost + gained == 0 or len(groups) == 1:
        return PairedCounts(items, lost, gained, len(groups), len(groups))
    mean = (lost - gained) / items
    among = sum(sum(difference - mean for difference in group) ** 2 for group in groups.values())
    among *= len(groups) / (len(groups) - 1)
    independent = lost + gained - items * mean**2
    effect = max(1.0, among / independent) if independent > 0 else items / len(groups)
    return PairedCounts(items, lost, gained, max(items / effect, 1.0), len(groups))


def drop_interval(counts: PairedCounts, confidence: float) -> tuple[float, float]:
    """Two-sided score interval of the drop (Tango, "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design", Statistics in Medicine 17, 1998).

    Its ends are the drops that a score test at that confidence just does not reject; it holds its level with few and
    with no differing answers, where the Wald interval shrinks to a point. `confidence`: 0.9 leaves 5 % beyond each end.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = counts.items_at((1 - confidence) / 2)
    b, c = counts.lost * n / counts.items, counts.gained * n / counts.items
    low = _crossing(lambda drop: _score(n, b, c, drop) - z, -1.0, (b - c) / n)
    high = _crossing(lambda drop: _score(n, b, c, drop) + z, (b - c) / n, 1.0)
    return low, high


def drop_at_most(counts: PairedCounts, confidence: float) -> float:
    """Upper bound, one-sided: with this confidence the drop is at most so much."""
    return drop_interval(counts, 2 * confidence - 1)[1]


def _score(n: float, b: float, c: float, drop: float) -> float:
    """Tango's statistic for a true drop: positive where the observed one is larger. Infinite at the ends ±1."""
    a2 = 2 * n
    b2 = -b - c + (2 * n - b + c) * drop
    c2 = -c * drop * (1 - drop)
    share = (math.sqrt(max(b2 * b2 - 4 * a2 * c2, 0.0)) - b2) / (2 * a2)  # of gained answers, were `drop` true
    variance = n * (2 * share + drop * (1 - drop))
    distance = b - c - n * drop
    if variance <= 1e-12:
        return 0.0 if abs(distance) < 1e-12 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
