"""The limit against links that answer to it in one way or another."""

from collections.abc import Callable

import pytest

from vertex_vllm.mirror.concurrency import AdaptiveLimit


class Link:
    """A network whose bytes a second are a function of the reads at once; time passes when it is used."""

    def __init__(self, most: int, rate: Callable[[int], float]) -> None:
        self.now = 0.0
        self.limit = AdaptiveLimit(most, lambda: self.now)
        self._rate = rate

    def use(self, seconds: float) -> list[int]:
        """The limits at each tenth of a second."""
        seen = []
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.limit.moved(int(self._rate(self.limit.value) * 0.1))
            seen.append(self.limit.value)
        return seen


def test_it_grows_to_the_most_while_each_read_brings_more() -> None:
    link = Link(16, lambda reads: reads * 1e6)
    assert sorted(set(link.use(5))) == [4, 6, 9, 13, 16]
    assert set(link.use(30)) == {16}


def test_it_goes_back_where_more_reads_bring_nothing() -> None:
    link = Link(16, lambda reads: min(reads, 6) * 1e6)
    link.use(3)
    assert link.limit.value == 6
    settled = link.use(30)
    assert set(settled) == {6, 9}, "it looks again now and then, as networks change"
    assert settled.count(6) > 0.85 * len(settled)


def test_a_throttled_service_is_asked_half_as_much_at_once() -> None:
    link = Link(16, lambda reads: reads * 1e6)
    link.use(5)
    for _ in range(16):  # Every read under way is told the same.
        link.limit.throttled()
    assert link.limit.value == 8
    link.use(1)
    link.limit.throttled()
    assert link.limit.value == 4
    link.use(30)
    assert link.limit.value == 16


@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_stays_within_its_bounds(most: int) -> None:
    link = Link(most, lambda reads: reads * 1e6)
    assert set(link.use(10)) == {most}
    for _ in range(5):
        link.use(1)
        link.limit.throttled()
    assert link.limit.value == 1
