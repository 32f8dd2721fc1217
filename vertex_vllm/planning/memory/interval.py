"""Amounts of memory as intervals."""

from dataclasses import dataclass
from typing import Self

GIB = 2**30


@dataclass(frozen=True)
class Interval:
    """Bytes: no less than `low`, no more than `high`, and `likely` the best single guess."""

    low: float
    likely: float
    high: float

    @classmethod
    def exact(cls, amount: float) -> Self:
        return cls(amount, amount, amount)

    @classmethod
    def about(cls, amount: float, low: float, high: float) -> Self:
        """`amount` as the likely value, times `low` and `high` as the ends."""
        return cls(amount * low, amount, amount * high)

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __neg__(self) -> "Interval":
        return Interval(-self.high, -self.likely, -self.low)

    def __str__(self) -> str:
        """GiB; the ends too where they differ in the second decimal."""
        if f"{self.low / GIB:.2f}" == f"{self.high / GIB:.2f}":
            return f"{self.likely / GIB:.2f}"
        return f"{self.likely / GIB:.2f} ({self.low / GIB:.2f} to {self.high / GIB:.2f})"


def largest(*amounts: Interval) -> Interval:
    """The maximum, end by end."""
    return Interval(max(a.low for a in amounts), max(a.likely for a in amounts), max(a.high for a in amounts))


def either(likely: Interval, *others: Interval) -> Interval:
    """Possible values, one of which holds; the first is the likeliest."""
    return Interval(
        min(amount.low for amount in (likely, *others)),
        likely.likely,
        max(amount.high for amount in (likely, *others)),
    )


@dataclass(frozen=True)
class Term:
    """An amount that is part of an estimate."""

    name: str
    amount: Interval
    source: str
    """Source of the amount: a formula, a measurement, the upstream function that it mirrors."""
