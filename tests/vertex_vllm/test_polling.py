"""The pauses between two looks grow to two seconds; errors of a look are the caller's."""

import pytest

from vertex_vllm.polling import poll_until


def test_the_pauses_double_up_to_two_seconds_until_a_look_has_ended() -> None:
    looks = iter(["RUNNING"] * 7 + ["FAILED", "never looked at"])
    pauses: list[float] = []
    assert poll_until(lambda state: state == "FAILED", lambda: next(looks), pauses.append) == "FAILED"
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_what_has_ended_already_costs_no_pause() -> None:
    pauses: list[float] = []
    assert poll_until(lambda state: True, lambda: "SUCCEEDED", pauses.append) == "SUCCEEDED"
    assert pauses == []


def test_an_error_of_a_look_ends_the_polling() -> None:
    def look() -> str:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        poll_until(lambda state: False, look, lambda seconds: None)
