"""Variants tried within a budget."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.vertex_vllm.served_models import serving_plan
from vertex_vllm.config.config_grid import parse_over, variants
from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.evaluation.run_results import RunResult
from vertex_vllm.lifecycle.config_sweep import OVERHEAD_SECONDS, Budget, Point, fitted, try_points

CONFIG = "name: search\nmodel: {id: org/name}\nevaluation: {load: {max_minutes: 25}}\n"
VARIANTS = variants(CONFIG, "search.yaml", parse_over(["serving.max_num_seqs=1,2,3"]))
# An hour: the start takes 15 minutes, the load at most 25, all else 20.
PLAN = serving_plan(usd_per_hour=2.0, start_seconds={"load": 900.0})
POINTS = tuple(Point(variant, PLAN) for variant in VARIANTS)


def test_a_point_costs_what_its_machine_costs_for_as_long_as_it_may_take() -> None:
    assert OVERHEAD_SECONDS == 1200
    assert (POINTS[0].hours, POINTS[0].usd_per_hour, POINTS[0].usd) == (1.0, 2.0, 2.0)
    assert Point(VARIANTS[0], replace(PLAN, max_replica_count=3)).usd == 6.0


@pytest.mark.parametrize(
    ("budget", "reasons"),
    [
        (Budget(6.0, 3.0), ["", "", ""]),
        (Budget(5.0, 9.0), ["", "", "needs up to 2.00 USD, and 1.00 are left"]),
        (Budget(9.0, 1.5), ["", "needs up to 1.0 h, and 0.5 are left", "needs up to 1.0 h, and 0.5 are left"]),
    ],
)
def test_points_that_do_not_fit_are_told_before_anything_is_rented(budget: Budget, reasons: list[str]) -> None:
    assert [point.why_not for point in fitted(POINTS, budget)] == reasons


def test_a_point_without_a_plan_or_a_price_does_not_fit() -> None:
    unknown = Point(VARIANTS[0], replace(PLAN, usd_per_hour=None))
    refused = Point(VARIANTS[1], None, "no machine holds it")
    assert [point.why_not for point in fitted([unknown, refused, POINTS[2]], Budget(9.0, 9.0))] == [
        "its price is not known, so no budget can be kept",
        "no machine holds it",
        "",
    ]


class Clock:
    """Hours that the test lets pass."""

    def __init__(self) -> None:
        self.hours = 0.0

    def __call__(self) -> float:
        return self.hours * 3600


def result(point: Point) -> RunResult:
    return RunResult(f"run-{point.variant.number}", {})


def test_points_are_tried_one_by_one_until_the_budget_is_used_up() -> None:
    clock, asked = Clock(), []

    def try_one(point: Point, stop: Callable[[], str]) -> RunResult:
        asked.append(stop())
        clock.hours += 1.2  # Longer than expected.
        asked.append(stop())
        return result(point)

    tried, left = try_points(POINTS, Budget(4.5, 9.0), try_one, clock)
    assert [(each.result.name, round(each.usd, 2)) for each in tried] == [("run-1", 2.4), ("run-2", 2.4)]
    assert [point.why_not for point in left] == ["needs up to 2.00 USD, and 0.00 are left"]
    # 2.10 USD were left for the second variant, which was cancelled when they were spent.
    assert asked == ["", "", "", "the budget is used up"]


@pytest.mark.parametrize("budget", [(math.nan, 1.0), (1.0, math.nan)])
def test_a_budget_is_a_number(budget: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="not a number"):
        Budget(*budget)


def test_an_error_ends_the_sweep_and_keeps_what_it_knows() -> None:
    def try_one(point: Point, stop: Callable[[], str]) -> RunResult:
        if point.variant.number == 2:
            raise ServiceError("the endpoint could not be deleted")
        return result(point)

    tried, left = try_points(POINTS, Budget(99.0, 99.0), try_one, Clock())
    assert [each.result.name for each in tried] == ["run-1"]
    assert [(point.why_not, point.failed) for point in left] == [
        ("the endpoint could not be deleted", True),
        ("an earlier variant ended with an error", False),
    ]


def test_an_interrupted_sweep_keeps_what_it_knows() -> None:
    def try_one(point: Point, stop: Callable[[], str]) -> RunResult:
        if point.variant.number == 2:
            raise KeyboardInterrupt
        return result(point)

    tried, left = try_points(POINTS, Budget(99.0, 99.0), try_one, Clock())
    assert [each.result.name for each in tried] == ["run-1"]
    assert [point.why_not for point in left] == ["the sweep was interrupted"] * 2
