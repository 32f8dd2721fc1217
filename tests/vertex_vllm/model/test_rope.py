"""How long a context is once its positions are stretched, as vLLM derives it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.model.rope import Rope, rope_of


@pytest.mark.parametrize(
    ("text", "model_type", "told", "length"),
    [
        ({}, "llama", "", 32768),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, "qwen3", "", 32768),
        # Llama 3.1: max_position_embeddings is the stretched length.
        (
            {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}},
            "llama",
            "llama3 × 8",
            32768,
        ),
        # Qwen2.5 with YaRN switched on as its model card says.
        (
            {"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
            "qwen2",
            "yarn × 4",
            131072,
        ),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "llama", "linear × 2", 65536),
        ({"rope_scaling": {"rope_type": "linear", "factor": 8.0}}, "gemma3_text", "linear × 8", 32768),
        ({"rope_scaling": {"type": "longrope", "long_factor": [1.0]}}, "phi3", "longrope × 1", 32768),
        ({"rope_scaling": {"type": "yarn", "factor": None}}, "llama", "yarn × 1", 32768),
    ],
)
def test_positions_are_stretched_as_vllm_does(text: dict[str, Any], model_type: str, told: str, length: int) -> None:
    rope = rope_of(text)
    assert (str(rope), rope.context_length(32768, model_type)) == (told, length)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["rope_type", "type", "factor", "original_max_position_embeddings"]), VALUES))
def test_any_section_makes_a_length_that_can_be(section: dict[str, Any]) -> None:
    rope = rope_of({"rope_scaling": section})
    assert isinstance(rope, Rope)
    assert 0 <= rope.context_length(4096, "llama") <= 1 << 31
