"""The caps of an evaluation over its load."""

import pytest

from vertex_vllm.catalog.load_profiles import Lengths
from vertex_vllm.load.due_requests import Due
from vertex_vllm.load.load_caps import NO_CAPS, LoadCaps

DUES = tuple(Due(number, 0.0, Lengths(prompt=10, answer=5)) for number in range(4))


@pytest.mark.parametrize(
    ("caps", "sent", "cap"),
    [
        (NO_CAPS, 4, ""),
        (LoadCaps(requests=4, tokens=60), 4, ""),
        (LoadCaps(requests=3), 3, "max_requests"),
        (LoadCaps(requests=-2), 0, "max_requests"),
        (LoadCaps(tokens=59), 3, "max_tokens"),
        (LoadCaps(tokens=14), 0, "max_tokens"),
        (LoadCaps(requests=3, tokens=59), 3, "max_requests"),
        (LoadCaps(seconds=0.0), 4, ""),
    ],
)
def test_as_many_requests_as_the_caps_allow(caps: LoadCaps, sent: int, cap: str) -> None:
    assert caps.allowed(DUES) == (DUES[:sent], cap)


@pytest.mark.parametrize(
    ("caps", "used_up"),
    [
        (NO_CAPS, ""),
        (LoadCaps(requests=1, tokens=1, seconds=0.1), ""),
        (LoadCaps(requests=0), "max_requests"),
        (LoadCaps(tokens=-3), "max_tokens"),
        (LoadCaps(seconds=0.0, seconds_cap="max_usd"), "max_usd"),
    ],
)
def test_a_cap_that_is_reached_is_named(caps: LoadCaps, used_up: str) -> None:
    assert caps.used_up == used_up


def test_what_was_sent_is_taken_off() -> None:
    assert LoadCaps(requests=9, tokens=100, seconds=3.0).after(4, 60) == LoadCaps(requests=5, tokens=40, seconds=3.0)
    assert NO_CAPS.after(4, 60) == NO_CAPS
