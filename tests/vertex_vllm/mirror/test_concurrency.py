"""The limit of concurrent reads on networks of several kinds."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from vertex_vllm.mirror.concurrency import AdaptiveLimit

PART = 1_000_000


class Link:
    """A network whose bytes a second are a function of the reads at once; time passes when it is used."""

    def __init__(self, most: int, rate: Callable[[int], float]) -> None:
        self.now = 0.0
        self.limit = AdaptiveLimit(most, PART, lambda: self.now)
        self._rate = rate

    def use(self, seconds: float) -> list[int]:
        """The limits at each tenth of a second."""
        seen = []
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.limit.moved(int(self._rate(self.limit.value) * 0.1))
            seen.append(self.limit.value)
        return seen


def mostly(seen: list[int], share: float = 0.9) -> int:
    """The limit that held for that share of the time."""
    ((limit, times),) = Counter(seen).most_common(1)
    assert times >= share * len(seen), Counter(seen)
    return limit


def test_it_climbs_to_the_most_while_each_read_brings_more() -> None:
    link = Link(16, lambda reads: reads * 1e6)
    assert max(link.use(3)) == 16
    assert mostly(link.use(30)) == 16


def test_it_goes_back_where_more_reads_bring_nothing() -> None:
    link = Link(16, lambda reads: min(reads, 6) * 1e6)
    link.use(5)
    assert mostly(link.use(120)) == 6


def test_it_descends_where_one_read_is_as_fast_as_many() -> None:
    link = Link(16, lambda reads: 50e6)
    link.use(5)
    assert mostly(link.use(120)) == 1


def test_it_follows_a_network_that_changes() -> None:
    fast = True
    link = Link(16, lambda reads: 50e6 if fast else reads * 1e6)
    link.use(10)
    assert link.limit.value == 1
    fast = False
    link.use(60)
    assert mostly(link.use(120)) == 16


@pytest.mark.parametrize(
    ("rate", "at_least", "at_most"),
    [(lambda reads: 50e6, 1, 2), (lambda reads: reads * 1e6, 12, 16)],
    ids=["waits for the processor", "waits for the network"],
)
def test_noise_misleads_it_seldom(rate: Callable[[int], float], at_least: int, at_most: int) -> None:
    right = 0
    for seed in range(50):
        noise = random.Random(seed)
        link = Link(16, lambda reads, noise=noise: rate(reads) * noise.uniform(0.5, 1.5))  # 13 % in half a second
        link.use(10)
        right += at_least <= mostly(link.use(20), share=0.5) <= at_most
    assert right >= 45


def test_a_throttled_service_is_asked_half_as_much_at_once() -> None:
    link = Link(16, lambda reads: reads * 1e6)
    while link.limit.value < 16:
        link.use(0.1)
    for _ in range(16):  # Every read under way fails in the same way.
        link.limit.throttled()
    assert link.limit.value == 8
    link.use(1)
    link.limit.throttled()
    assert link.limit.value == 4
    link.use(60)
    assert mostly(link.use(120)) == 16


@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_stays_within_its_bounds(most: int) -> None:
    link = Link(most, lambda reads: reads * 1e6)
    assert mostly(link.use(120), share=0.85) == most
    for _ in range(5):
        link.use(1)
        link.limit.throttled()
    assert link.limit.value == 1
