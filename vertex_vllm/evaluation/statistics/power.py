"""The smallest drop that a suite can detect, known before anything is asked."""

import math
from dataclasses import dataclass
from statistics import NormalDist

POWER = 0.8
CHANGED = 0.1
"""Share of items whose right or wrong differs between the runs, assumed where nothing is known of it. Runs of one model
with greedy decoding differ in 0 to 2 %; another quantisation or revision in 5 to 15 %."""


@dataclass(frozen=True)
class Power:
    """The power of a suite with these terms."""

    items: int
    clusters: int
    visible_drop: float
    """Share: in 80 % of the runs, the test rejects a candidate that is truly worse by so much."""
    items_needed: int
    """Independent items with which 80 % of the runs distinguish the allowed regression from none; 0: no number is
    enough."""
    allowed_regression: float

    @property
    def too_small(self) -> bool:
        """The suite cannot distinguish the allowed regression from none."""
        return self.visible_drop > self.allowed_regression

    def __str__(self) -> str:
        seen = (
            f"{self.clusters} independent questions: a drop of {self.visible_drop * 100:.1f} points is seen with 80 %"
        )
        if not self.too_small:
            return seen
        needed = f"ask at least {self.items_needed} independent questions, or " if self.items_needed else ""
        allowed = f"{self.allowed_regression * 100:.1f} points"
        return f"{seen}. Too few for an allowed regression of {allowed}: {needed}allow more"


def power_of(items: int, clusters: int, allowed_regression: float, confidence: float) -> Power:
    """Power of the comparison with a baseline, which passes where the upper bound of the drop is below the allowed one.

    A bound and a test need the same number of items: with it, the test distinguishes the allowed regression from none
    in 80 % of the runs, and an equally good candidate passes in 80 % of them. Normal approximation for paired shares
    (Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43, 1987),
    with as many independent items as there are clusters.
    """
    z, reach = NormalDist().inv_cdf(confidence), NormalDist().inv_cdf(POWER)
    visible = (z + reach) * math.sqrt(CHANGED / clusters)
    if allowed_regression <= 0:
        return Power(items, clusters, visible, 0, allowed_regression)
    needed = math.ceil(CHANGED * ((z + reach) / allowed_regression) ** 2)
    return Power(items, clusters, visible, needed, allowed_regression)
