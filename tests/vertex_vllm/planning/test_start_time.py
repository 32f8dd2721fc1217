"""Seconds that a start should take, and the line of the plan that says so."""

from vertex_vllm.planning.start_time import expected_start, start_told


def test_an_8b_model_takes_what_was_measured() -> None:
    """The start of this shape that start_times.yaml rests on took 307 s."""
    assert expected_start(16_060_000_000, 32, ()) == {
        "copy": 62.8,
        "set-up": 60.0,
        "load": 14.6,
        "profile": 6.0,
        "compile": 26.0,
        "capture": 10.6,
        "warm-up": 122.0,
        "in all": 302.0,
    }


def test_an_eager_start_compiles_and_captures_nothing() -> None:
    seconds = expected_start(16_060_000_000, 32, ("--enforce-eager",))
    assert "compile" not in seconds
    assert "capture" not in seconds
    assert seconds["in all"] == 265.4


def test_a_plan_names_the_whole_and_its_longest_phases() -> None:
    told = start_told(expected_start(16_060_000_000, 32, ()))
    assert told == (
        "about 5 min after the machine is there and the image is pulled (warm-up 122 s, copy 63 s, set-up 60 s)"
    )
    assert start_told({}) == ""
