"""A share with its interval."""

import math
from statistics import NormalDist


def share_interval(right: float, items: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927; Brown, Cai and DasGupta, Statistical Science 16, 2001).

    Never below 0 or above 1, and of some width even where all answers are right. Raises ValueError for no items.
    """
    if items <= 0:
        raise ValueError("no items")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = right / items
    middle = (share + z * z / (2 * items)) / (1 + z * z / items)
    reach = z * math.sqrt(share * (1 - share) / items + z * z / (4 * items * items)) / (1 + z * z / items)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def share_at_least(right: int, items: int, confidence: float) -> float:
    """Exact one-sided lower bound of a share (Clopper and Pearson, 1934): the share is at least so much.

    The share at which so many or more would be seen with probability 1 - `confidence`.
    """
    if right <= 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if at_least(right, items, middle) > 1 - confidence:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def at_least(right: int, items: int, share: float) -> float:
    """Probability of at least `right` among `items` with this share each: the upper tail of the binomial."""
    if right <= 0:
        return 1.0
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    logs = math.lgamma(items + 1)
    return min(
        1.0,
        sum(
            math.exp(
                logs
                - math.lgamma(k + 1)
                - math.lgamma(items - k + 1)
                + k * math.log(share)
                + (items - k) * math.log1p(-share)
            )
            for k in range(right, items + 1)
        ),
    )
