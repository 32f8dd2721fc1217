"""Quantiles of Student's distribution, without scipy."""

import math
from statistics import NormalDist

_EXACT_DEGREES = 200
_STEPS = 80


def student_quantile(probability: float, degrees: int) -> float:
    """The value that a variable of Student's distribution stays below with `probability`, 0.5 to 1 exclusive.

    Up to 200 degrees of freedom by the finite series of the distribution (Abramowitz and Stegun, "Handbook of
    Mathematical Functions", 26.7.3 and 26.7.4), above that by the Cornish-Fisher expansion (26.7.5), which is right to
    five digits there. Raises ValueError for other probabilities and for fewer degrees than 1.
    """
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError(f"probability {probability}, {degrees} degrees of freedom")
    if degrees > _EXACT_DEGREES:
        z = NormalDist().inv_cdf(probability)
        return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    low, high = 0.0, math.pi / 2
    for _ in range(_STEPS):
        angle = (low + high) / 2
        if _between(angle, degrees) < 2 * probability - 1:
            low = angle
        else:
            high = angle
    return math.sqrt(degrees) * math.tan(low)


def _between(angle: float, degrees: int) -> float:
    """Probability of a value between -t and t, where t = sqrt(degrees) x tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
