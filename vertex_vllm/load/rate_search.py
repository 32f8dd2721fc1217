"""The highest rate that meets an SLO: doubling until it is missed or the server is saturated, then halving the gap."""

from collections.abc import Callable
from dataclasses import dataclass

from vertex_vllm.load.figures import LoadFigures

Measure = Callable[[float], LoadFigures]
"""Puts a load of so many requests per second on the server. Raises CutShort where it has no figures."""
PRECISION = 0.1
"""The rate found is at most this share below one that misses the SLO."""
MOST_STEPS = 16


class CutShort(Exception):
    """A cap was reached before any request was measured; the text is the error of the warm-up's requests."""


@dataclass(frozen=True)
class RateSearch:
    steps: tuple[LoadFigures, ...]
    """In the order in which they were measured."""
    ended_because: str

    @property
    def best(self) -> LoadFigures | None:
        """The load of the highest rate below every rate that missed the SLO. None: even the lowest missed it."""
        good = [step for step in self.steps if step.meets_slo]
        missed = [step.rate for step in self.steps if step.meets_slo is False]
        below = [step for step in good if not missed or step.rate < min(missed)]
        return max(below, key=lambda step: step.rate, default=None)

    @property
    def saturation(self) -> LoadFigures | None:
        """The load with the most output tokens per second. None: no step reached saturation, or nothing was counted."""
        if not any(step.saturated for step in self.steps):
            return None
        counted = [step for step in self.steps if step.output_tokens_per_second is not None]
        return max(counted, key=lambda step: step.output_tokens_per_second or 0.0, default=None)


def highest_rate(
    measure: Measure, first_rate: float, may_go_on: Callable[[], str] = lambda: "", most_late: float = float("inf")
) -> RateSearch:
    """Measures rates until the highest one that meets the SLO is known to PRECISION.

    `may_go_on` is asked before each step; a text that it returns ends the search with it as the reason. A step in which
    the generator sent requests more than `most_late` seconds late (99th percentile) ends the doubling: a higher rate
    would measure the generator.
    """
    steps: list[LoadFigures] = []
    good, bad, rate = 0.0, 0.0, first_rate
    while len(steps) < MOST_STEPS:
        if reason := may_go_on():
            return RateSearch(tuple(steps), reason)
        try:
            step = measure(rate)
        except CutShort:
            return RateSearch(tuple(steps), f"a cap was reached before a request was measured at {rate:.3g} requests/s")
        steps.append(step)
        if step.meets_slo is None:
            return RateSearch(
                tuple(steps), f"a cap was reached before enough requests were sent at {rate:.3g} requests/s"
            )
        if step.meets_slo:
            good = rate
            if step.saturated:
                return RateSearch(tuple(steps), f"the server is saturated at {rate:.3g} requests/s, within the SLO")
            if step.timer_error_p99 > most_late and not bad:
                return RateSearch(tuple(steps), f"the load generator fell behind at {rate:.3g} requests/s")
        else:
            bad = rate
        if bad and good and good >= bad * (1 - PRECISION):
            return RateSearch(tuple(steps), f"{bad:.3g} requests/s miss the SLO, {good:.3g} meet it")
        if bad and not good and rate < first_rate / 64:
            return RateSearch(tuple(steps), f"even {rate:.3g} requests/s miss the SLO")
        rate = rate * 2 if not bad else bad / 2 if not good else (good + bad) / 2
    return RateSearch(tuple(steps), f"{MOST_STEPS} rates were measured")
