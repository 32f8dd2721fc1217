"""Errors that are retried, and the longest wait that a service may ask for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from vertex_vllm.retries import LONGEST_WAIT, TransientError, is_transient, retry_after, with_retries


def response(status: int) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    return answer


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (requests.HTTPError(response=response(429)), True),
        (requests.HTTPError(response=response(503)), True),
        (requests.HTTPError(response=response(404)), False),
        (requests.HTTPError(response=response(501)), False),
        (requests.ConnectionError(), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (TransientError("a body ended too early"), True),
        (FileNotFoundError(), False),
        (ValueError(), False),
    ],
)
def test_what_is_worth_another_try(error: Exception, again: bool) -> None:
    assert is_transient(error) is again


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "7"}, 7),
        ({"Retry-After": "100000"}, LONGEST_WAIT),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"RateLimit": '"api";r=0;t=55'}, 55),
        ({"RateLimit": '"api";r=12;t=55'}, 0),
        ({"Retry-After": "3", "RateLimit": '"api";r=0;t=55'}, 3),
    ],
)
def test_how_long_a_service_asks_us_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for() -> None:
    then = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 <= retry_after({"Retry-After": format_datetime(then, usegmt=True)}) <= 100


def test_a_transient_error_is_tried_again() -> None:
    errors = [TransientError("once")]

    def target() -> str:
        if errors:
            raise errors.pop()
        return "answer"

    assert with_retries(target, seconds=60) == "answer"


def test_a_wait_longer_than_our_patience_ends_it_with_the_error_itself() -> None:
    def target() -> None:
        raise TransientError("busy", retry_after=300)

    with pytest.raises(TransientError, match="busy"):
        with_retries(target, seconds=60)


def test_another_error_is_not_tried_again() -> None:
    tries: list[int] = []

    def target() -> None:
        tries.append(1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        with_retries(target, seconds=60)
    assert tries == [1]
