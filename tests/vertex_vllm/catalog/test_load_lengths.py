"""Lengths of prompts and answers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.catalog.load_lengths import Distribution, Fixed, Lognormal, Uniform, parse_distribution
from vertex_vllm.errors import InputError


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("fixed(128)", Fixed(128)),
        (" uniform( 64 , 512 ) ", Uniform(64, 512)),
        ("lognormal(1020, 0.8, 16, 4096)", Lognormal(1020, 0.8, 16, 4096)),
    ],
)
def test_a_distribution_is_read(text: str, distribution: Distribution) -> None:
    assert parse_distribution(text) == distribution


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a distribution of lengths"),
        ("128", "not a distribution of lengths"),
        ("normal(3, 4)", "not a distribution of lengths"),
        ("fixed()", "a length|invalid literal"),
        ("fixed(1, 2)", "1 number expected"),
        ("fixed(0)", "1 to 1,000,000 tokens"),
        ("fixed(1000001)", "1 to 1,000,000 tokens"),
        ("uniform(9, 8)", "FEWEST must not be more than MOST"),
        ("lognormal(5, 0, 1, 9)", "SIGMA"),
        ("lognormal(50, 1, 1, 9)", "MEDIAN"),
        ("lognormal(5, nan, 1, 9)", "SIGMA"),
    ],
)
def test_any_other_text_is_refused_with_the_form_to_write(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        parse_distribution(text, "evaluation.load.prompt_tokens")
    assert raised.value.where == "evaluation.load.prompt_tokens"
    assert raised.value.fix.startswith("Write ")


@given(st.sampled_from(["fixed(7)", "uniform(2, 9)", "lognormal(20, 2.5, 3, 90)"]), st.integers(0, 99))
def test_no_draw_is_longer_than_the_longest(text: str, seed: int) -> None:
    distribution = parse_distribution(text)
    draws = [distribution.draw(random.Random(seed)) for _ in range(50)]
    assert 1 <= min(draws) <= max(draws) <= distribution.longest
