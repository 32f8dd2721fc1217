"""Sizes of the shipped suites: a plan shows them without generating the questions, which takes 0.2 s."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SuiteSize:
    items: int
    clusters: int
    """Independent groups of items, as `Suite.clusters`."""
    levels: tuple[int, ...]


SHIPPED_SIZES = {
    "text": SuiteSize(720, 658, (1, 2, 3, 4)),
    "image": SuiteSize(336, 315, (1, 2, 3, 4)),
    "text-and-image": SuiteSize(1056, 973, (1, 2, 3, 4)),
    "text-small": SuiteSize(60, 56, (1,)),
    "image-small": SuiteSize(24, 24, (1,)),
}
