"""Is the candidate worse than the baseline on the same items? An exact test."""

from collections.abc import Sequence


def worse_p_value(losses: Sequence[int]) -> float:
    """Probability of a net loss at least this large if losing and gaining were equally likely, exactly.

    `losses`: per cluster, right answers of the baseline minus right answers of the candidate. Under the null hypothesis
    the sign of each cluster's difference is a fair coin (a sign-flip permutation test); all sums of flipped signs are
    counted. With one item per cluster the differences are -1, 0 and 1, and the test is McNemar's exact one, one-sided
    (McNemar 1947; exact form: Fay, "exact2x2", 2010): the probability of at least b heads in b + c throws.
    """
    sizes = [abs(loss) for loss in losses if loss]
    total = sum(losses)
    ways = [1]  # ways[k]: number of sign patterns whose positive differences sum up to k
    for size in sizes:
        longer = [0] * (len(ways) + size)
        for reached, count in enumerate(ways):
            longer[reached] += count
            longer[reached + size] += count
        ways = longer
    # Positive part minus negative part is at least `total`: the positive part is at least (total + all) / 2.
    least = -(-(total + sum(sizes)) // 2)
    extreme = sum(ways[max(least, 0) :])
    # Integers of any size divide exactly; floats of them would overflow beyond 1,023 clusters.
    return extreme / (1 << len(sizes))
