"""A chaos case, and in `make test-all` one of each family; `make chaos` runs hundreds (docs/chaos.md)."""

from dataclasses import replace
from functools import cache

import pytest

from tests.chaos.cases import EVERYTHING, NOTHING, Case, case, case_of, families
from tests.chaos.outcome import Ended, Outcome, problems
from tests.chaos.struck_calls import calls
from tests.chaos.suite import Order, Result, Told, run_all

# A lane has a local cloud of its own, which costs as much as a run; the other tests keep the second processor busy.
LANES = 1
# Seeds of cases that struck when they were chosen.
OTHERS = {"local cloud crashes": 2}
ONE_OF_EACH = {family: Order(OTHERS.get(family, 1), family) for family in families()}
FEW = (Order(1, EVERYTHING),)
# A run that keeps its endpoint, as that of seed 1 does, makes other calls than one that does not.
REST = (*ONE_OF_EACH.values(), Order(1, NOTHING), Order(2, NOTHING))


THE_FEW, THE_REST = pytest.param(FEW, id="few"), pytest.param(REST, id="rest", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=[THE_FEW, THE_REST])
def chosen(request: pytest.FixtureRequest) -> tuple[Order, ...]:
    orders: tuple[Order, ...] = request.param
    return orders


@cache
def carried_out(orders: tuple[Order, ...]) -> Result:
    return run_all(orders, LANES)


@pytest.fixture(scope="module")
def result(chosen: tuple[Order, ...]) -> Result:
    return carried_out(chosen)


with_the_few = pytest.mark.parametrize("chosen", [THE_FEW], indirect=True, scope="module")
with_the_rest = pytest.mark.parametrize("chosen", [THE_REST], indirect=True, scope="module")


def told(result: Result, family: str) -> Told:
    return next(each for each in result.told if each.case.family == family)


def test_every_case_ends_as_it_should(result: Result, chosen: tuple[Order, ...]) -> None:
    assert [(str(each.case), each.problems) for each in result.failed] == []
    assert len(result.told) == len(chosen)


def test_the_token_is_nowhere_and_nothing_is_left_anywhere(result: Result) -> None:
    assert result.at_the_end == []


def test_faults_and_acts_strike(result: Result) -> None:
    missed = [str(each.case) for each in result.told if not each.outcome.happened and each.case.family != NOTHING]
    assert missed == []


@with_the_rest
def test_what_cases_strike_is_what_a_clean_run_calls(result: Result) -> None:
    counted = [each for each in result.told if each.case.family == NOTHING]
    assert {each.case.keeps_endpoint for each in counted} == {True, False}
    too_few = [
        (each.case.keeps_endpoint, call.where, call.calls, count)
        for each in counted
        for call, count in zip(calls(), each.outcome.met, strict=True)
        if count < call.calls and call.kept in (None, each.case.keeps_endpoint)
    ]
    assert too_few == []


@with_the_few
def test_a_run_passes_though_a_fifth_of_all_calls_fails(result: Result) -> None:
    outcome = told(result, EVERYTHING).outcome
    assert outcome.faulted.state == "SUCCEEDED", outcome.faulted.errors
    assert outcome.struck > 20


# --- the parts that need no run


def test_a_seed_decides_a_case_alone() -> None:
    assert case(7) == case(7)
    drawn = [case(seed) for seed in range(300)]
    assert {each.family for each in drawn} == set(families())
    assert case_of("step killed", 3) == case_of("step killed", 3)


GOOD = Ended("SUCCEEDED", handler="SUCCEEDED")
FAILED = Ended("FAILED", errors=("403 the word",), handler="SUCCEEDED")
CASE = Case(1, "error that stays", "chaos/small", words=("the word",))
FINE = Outcome(1, FAILED, 1, (1,), False, False, (), False, (), (), GOOD, False, (), 1.0)


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (FINE, ""),
        (replace(FINE, faulted=replace(FAILED, errors=("something else",))), "the error names none of 'the word'"),
        (replace(FINE, struck=0), "FAILED, though nothing was done to it"),
        (replace(FINE, faulted=replace(FAILED, state="RUNNING")), "the run does not end"),
        (replace(FINE, faulted=replace(FAILED, errors=("the word\nTraceback",))), "a traceback as error"),
        (replace(FINE, left_by_handler=("endpoints/1",)), "the handler left endpoints/1"),
        (replace(FINE, swept=True, left_by_sweep=("models/1",)), "the sweep left models/1"),
        (replace(FINE, clean=FAILED), "a clean run after it: FAILED"),
        (replace(FINE, left_in_the_end=("models/1",)), "the clean run left models/1"),
        (replace(FINE, promoted=True), "the run promoted an endpoint that was not meant to stay"),
        (replace(FINE, clean_promoted=True), "the clean run promoted an endpoint that was not meant to stay"),
        (replace(FINE, broke="KeyError"), "could not be carried out"),
        # The exit handler could not run: the sweep removes the resource.
        (replace(FINE, faulted=replace(FAILED, handler="FAILED"), left_by_handler=("x",), swept=True), ""),
    ],
)
def test_the_judge(outcome: Outcome, problem: str) -> None:
    found = problems(CASE, outcome)
    assert len(found) == bool(problem)
    assert problem in "".join(found)


def test_a_run_that_keeps_its_endpoint_has_it_live() -> None:
    kept = replace(CASE, keeps_endpoint=True)
    assert problems(kept, replace(FINE, clean_promoted=True)) == ()
    assert problems(kept, FINE) == ("the clean run succeeded, and no endpoint is live",)


def test_what_should_only_slow_a_run_down_must_not_fail_it() -> None:
    (problem,) = problems(replace(CASE, words=()), FINE)
    assert "what should only slow it down" in problem
