"""Facts of a model as a file: what `facts --output` writes and `plan --facts` reads."""

import json

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B
from vertex_vllm.model.facts import ModelFacts


def test_each_size_stands_once_and_beside_the_other_facts() -> None:
    written = json.loads(LLAMA_8B.to_json())
    assert (written["layers"], written["vocabulary"], written["parameters"]) == (32, 128_256, 8_030_261_248)
    assert not any(isinstance(value, dict) for value in written.values())
    assert ModelFacts.from_json(LLAMA_8B.to_json()) == LLAMA_8B


def test_a_file_without_the_sizes_is_not_taken_for_facts() -> None:
    written = json.loads(LLAMA_8B.to_json())
    del written["vocabulary"]
    with pytest.raises(TypeError, match="vocabulary"):
        ModelFacts.from_json(json.dumps(written))


def test_another_size_makes_another_model_of_the_same_facts() -> None:
    longer = LLAMA_8B.reshaped(context_length=262_144)
    assert (longer.context_length, longer.shape.layers, longer.parameters) == (262_144, 32, LLAMA_8B.parameters)
