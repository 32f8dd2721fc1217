"""Caps on an evaluation, with a clock of the test's own."""

import pytest

from vertex_vllm.errors import InputError
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.limits import GIVE_UP_AFTER, Budget, Limits
from vertex_vllm.load.load_caps import NO_CAPS, LoadCaps

ANSWER = Reply("a", 0.1, input_tokens=5, output_tokens=3)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("limits", "seconds", "told"),
    [
        (Limits(minutes=2), 120, "max_minutes is reached after 120 seconds"),
        (Limits(usd=1, usd_per_hour=36), 100, "max_usd is reached after 100 seconds"),
        (Limits(minutes=1, usd=1, usd_per_hour=36), 60, "max_minutes is reached after 60 seconds"),
    ],
)
def test_time_and_money(limits: Limits, seconds: float, told: str) -> None:
    clock = Clock()
    budget = Budget(limits, clock)
    clock.now = seconds - 0.1
    assert (budget.may_ask(), budget.stopped) == (True, "")
    clock.now = seconds
    assert (budget.may_ask(), budget.stopped) == (False, told)


def test_requests_and_tokens_of_an_earlier_attempt_count() -> None:
    budget = Budget(Limits(requests=2))
    budget.earlier(ANSWER)
    assert (budget.may_ask(), budget.may_ask()) == (True, False)
    budget = Budget(Limits(tokens=16))
    budget.earlier(ANSWER)
    assert budget.may_ask()
    budget.replied(ANSWER)
    assert budget.stopped == "max_tokens is reached: 16 tokens were read and written"


def test_only_failures_in_a_row_give_an_endpoint_up() -> None:
    budget = Budget(Limits())
    for _ in range(3):
        for _ in range(GIVE_UP_AFTER - 1):
            budget.replied(Reply("", 0.1, error="HTTP 503: busy"))
        budget.replied(ANSWER)
    assert budget.may_ask()
    for _ in range(GIVE_UP_AFTER):
        budget.replied(Reply("", 0.1, error="HTTP 503: busy"))
    assert budget.stopped == f"{GIVE_UP_AFTER} requests in a row failed, the last with: HTTP 503: busy"
    assert budget.cap_reached == ""


def test_money_without_a_price_cannot_be_capped() -> None:
    with pytest.raises(InputError, match=r"evaluation.max_usd: the price of the machine is not known. Cap the time"):
        Budget(Limits(usd=5))


def test_the_load_has_what_the_questions_left() -> None:
    clock = Clock()
    budget = Budget(Limits(usd=1, usd_per_hour=36), clock, concurrency=2)
    clock.now = 30.0
    assert budget.left() == LoadCaps(seconds=70.0, seconds_cap="max_usd")
    # Two requests at once took 40 seconds each in an attempt that was killed.
    for _ in range(2):
        budget.earlier(Reply("a", 40.0, input_tokens=5, output_tokens=3))
    assert budget.left() == LoadCaps(seconds=30.0, seconds_cap="max_usd")
    clock.now = 60.0
    assert budget.stopped == "max_usd is reached after 100 seconds"
    assert Budget(Limits(minutes=2, usd=1, usd_per_hour=36), clock).left().seconds_cap == "max_usd"
    budget = Budget(Limits(requests=5, tokens=20, minutes=1), clock)
    assert budget.may_ask()
    budget.replied(ANSWER)
    budget.asks_again()
    budget.replied(ANSWER)
    assert budget.left() == LoadCaps(requests=3, tokens=4, seconds=60.0)
    budget.replied(Reply("a", 0.1))
    assert (budget.left().used_up, budget.cap_reached.partition(" ")[0]) == ("max_tokens", "max_tokens")
    assert Budget(Limits()).left() == NO_CAPS


def test_tokens_that_nobody_counts_cannot_be_capped() -> None:
    budget = Budget(Limits(tokens=1000))
    budget.replied(Reply("", 0.1, error="HTTP 503: busy"))
    assert budget.may_ask()
    budget.replied(Reply("a", 0.1))
    assert budget.stopped == "max_tokens cannot be kept: the endpoint does not count the tokens of its answers"
    uncapped = Budget(Limits())
    uncapped.replied(Reply("a", 0.1))
    assert uncapped.may_ask()
