"""Tries variants of a config one after another within a budget: which variants fit, and how each run ended."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from vertex_vllm.config.config_grid import Variant
from vertex_vllm.errors import InputError, VertexVllmError
from vertex_vllm.evaluation.run_results import RunResult
from vertex_vllm.planning.plan import ServingPlan

_SECONDS_PER_HOUR = 3600
_START_SECONDS = 900.0
"""Of a container whose start is not estimated; Vertex AI's own work before it is part of OVERHEAD_SECONDS."""
OVERHEAD_SECONDS = 1200.0
"""Renting the machine, smoke tests, questions and undeploying; with a small suite. An estimate, not a measurement."""


@dataclass(frozen=True)
class Budget:
    """Raises InputError for values that are no numbers: every price is within those."""

    usd: float
    hours: float

    def __post_init__(self) -> None:
        for option, value in (("--budget-usd", self.usd), ("--hours", self.hours)):
            if math.isnan(value):
                raise InputError("not a number", where=option, fix="Give US dollars and hours, for example 20 and 3.")


@dataclass(frozen=True)
class Point:
    """A variant with its plan and its price."""

    variant: Variant
    plan: ServingPlan | None
    """None: nothing can serve it as asked."""
    why_not: str = ""
    """Why it is not tried, or why its run has no result; empty: it is tried."""
    failed: bool = False
    """Its run has no result because of an error."""

    @property
    def hours(self) -> float:
        """Expected, from the rental of the machine to its end."""
        if self.plan is None:
            return 0.0
        start = sum(self.plan.start_seconds.values()) or _START_SECONDS
        load = self.variant.deployment.evaluation.load.max_minutes * 60
        return (start + load + OVERHEAD_SECONDS) / _SECONDS_PER_HOUR

    @property
    def usd_per_hour(self) -> float | None:
        """Of as many replicas as may run; None: not known."""
        if self.plan is None or self.plan.usd_per_hour is None:
            return None
        return self.plan.usd_per_hour * self.plan.max_replica_count

    @property
    def usd(self) -> float | None:
        """Expected at most; None: the price is not known."""
        return None if self.usd_per_hour is None else self.usd_per_hour * self.hours


def fitted(points: Sequence[Point], budget: Budget) -> tuple[Point, ...]:
    """The points in their order; a point that exceeds what earlier points leave of the budget gets the reason."""
    usd, hours, found = budget.usd, budget.hours, []
    for point in points:
        reason = point.why_not or _too_much(point, usd, hours)
        if not reason:
            usd, hours = usd - (point.usd or 0.0), hours - point.hours
        found.append(replace(point, why_not=reason))
    return tuple(found)


def _too_much(point: Point, usd: float, hours: float) -> str:
    if point.usd is None:
        return "its price is not known, so no budget can be kept"
    if point.usd > usd:
        return f"needs up to {point.usd:.2f} USD, and {max(usd, 0.0):.2f} are left"
    if point.hours > hours:
        return f"needs up to {point.hours:.1f} h, and {max(hours, 0.0):.1f} are left"
    return ""


@dataclass(frozen=True)
class Tried:
    point: Point
    result: RunResult
    usd: float
    """At most: the time of the whole run at the machine's price."""


Try = Callable[[Point, Callable[[], str]], RunResult]
"""Runs one point to its end and tears it down. It polls the function, and cancels the run for a non-empty answer."""


def try_points(
    points: Sequence[Point], budget: Budget, try_one: Try, clock: Callable[[], float] = time.monotonic
) -> tuple[list[Tried], list[Point]]:
    """Tries the points that fit, one by one. Returns those tried, and those not tried with the reason.

    Each point may use what the earlier ones left of the budget, usually more than planned. A KeyboardInterrupt and an
    error of a point end the sweep after the point's teardown; the results so far are returned.
    """
    start, spent = clock(), 0.0
    tried: list[Tried] = []
    left: list[Point] = []
    ended = ""
    for point in points:
        used = (clock() - start) / _SECONDS_PER_HOUR
        reason = ended or point.why_not or _too_much(point, budget.usd - spent, budget.hours - used)
        if reason:
            left.append(replace(point, why_not=reason))
            continue
        begun, price = clock(), point.usd_per_hour or 0.0
        deadline = min(
            begun + (budget.usd - spent) / price * _SECONDS_PER_HOUR if price else float("inf"),
            start + budget.hours * _SECONDS_PER_HOUR,
        )
        try:
            result = try_one(point, partial(_over, clock, deadline))
        except KeyboardInterrupt:
            ended = "the sweep was interrupted"
            left.append(replace(point, why_not=ended))
            continue
        except VertexVllmError as error:
            ended = "an earlier variant ended with an error"
            left.append(replace(point, why_not=str(error), failed=True))
            continue
        finally:
            usd = (clock() - begun) / _SECONDS_PER_HOUR * price
            spent += usd
        tried.append(Tried(point, result, usd))
    return tried, left


def _over(clock: Callable[[], float], deadline: float) -> str:
    return "the budget is used up" if clock() > deadline else ""
