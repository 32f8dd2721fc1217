"""Facts from config.json: shapes of published models, and any JSON at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vertex_vllm.model.published_configs import COMMIT, CUSTOM_CODE, LLAMA_31_8B, MIXTRAL_8X7B, PUBLISHED, ROPE
from vertex_vllm.errors import PlanError
from vertex_vllm.hub.chat_template import has_chat_template
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.model_config import facts_from_config
from vertex_vllm.model.safetensors import Weights

WEIGHTS = Weights(parameters=1000, bytes=2000, dtype="BF16")


def facts(config: dict[str, Any], weights: Weights = WEIGHTS) -> ModelFacts:
    return facts_from_config(
        config, model_id="org/model", commit=COMMIT, weights=weights, chat_template=True, gated=False
    )


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row[1]}-{row[5]}-{row[3]}")
def test_shapes_of_published_models(row: tuple[Any, ...]) -> None:
    config, architecture, dtype, quantization, layers, hidden, heads, kv_heads, head, context, vision = row
    assert facts(config) == ModelFacts(
        model_id="org/model",
        commit=COMMIT,
        dtype=dtype,
        quantization=quantization,
        parameters=1000,
        weight_bytes=2000,
        chat_template=True,
        custom_code=False,
        gated=False,
        source="Hub",
        shape=facts(config).shape,
        rope_scaling=ROPE.get(architecture, "") if "rope_scaling" in config.get("text_config", config) else "",
        model_type=config["model_type"],
        text_model_type=config.get("text_config", config)["model_type"],
        positions=facts(config).positions,
        quantization_file="config.json" if quantization else "",
        quantization_scheme="w4" if quantization == "gptq" else "",
    )
    shape = facts(config).shape
    assert (shape.architecture, shape.layers, shape.hidden_size) == (architecture, layers, hidden)
    assert (shape.attention_heads, shape.key_value_heads, shape.head_size) == (heads, kv_heads, head)
    assert (shape.context_length, shape.vision) == (context, vision)


def test_code_in_the_repository_is_told() -> None:
    assert facts(CUSTOM_CODE).custom_code


@pytest.mark.parametrize(
    ("fields", "stored", "loaded"),
    [
        ({"torch_dtype": "float16"}, "BF16", "float16"),
        ({"torch_dtype": None, "dtype": "bfloat16"}, "F16", "bfloat16"),
        # vLLM does not serve in float32 unless told to.
        ({"torch_dtype": "float32"}, "F32", "bfloat16"),
        ({"torch_dtype": "auto"}, "F16", "float16"),
        ({"torch_dtype": None}, "F8_E4M3", "bfloat16"),
    ],
)
def test_dtype_as_vllm_would_load_it(fields: dict[str, Any], stored: str, loaded: str) -> None:
    assert facts({**LLAMA_31_8B, **fields}, Weights(1, 2, stored)).dtype == loaded


@pytest.mark.parametrize("architectures", [[], ["rm -rf"], "LlamaForCausalLM"])
def test_without_an_architecture_there_is_nothing_to_plan(architectures: object) -> None:
    with pytest.raises(PlanError) as raised:
        facts({**LLAMA_31_8B, "architectures": architectures})
    assert raised.value.where == "config.json: architectures"


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"hidden_size": "4096"}, "hidden_size"),
        ({"num_key_value_heads": [8, 8]}, "num_key_value_heads"),
        ({"max_position_embeddings": 10**40}, "max_position_embeddings"),
        ({"vocab_size": None}, "vocab_size"),
    ],
)
def test_a_field_that_cannot_be_read_is_named_and_refuses_nothing(fault: dict[str, Any], field: str) -> None:
    shape = facts({**LLAMA_31_8B, **fault}).shape
    assert f"config.json: {field}" in shape.missing


@pytest.mark.parametrize("section", [{"bits": 4}, "gptq"])
def test_a_quantisation_without_a_method_is_a_doubt(section: object) -> None:
    found = facts({**LLAMA_31_8B, "quantization_config": section})
    where = "config.json: quantization_config.quant_method"
    assert found.doubts == (f"{where}: does not say how the weights are quantized",)


def test_a_model_without_a_maximum_length_takes_any() -> None:
    config = {**MIXTRAL_8X7B}
    del config["max_position_embeddings"]
    found = facts(config)
    assert found.context_length == 0
    assert "config.json: max_position_embeddings" not in found.shape.missing


@pytest.mark.parametrize(
    ("tokenizer_config", "has"),
    [
        ({"chat_template": "{{ messages }}"}, True),
        ({"chat_template": [{"name": "default", "template": "{{ messages }}"}]}, True),
        ({"chat_template": None}, False),
        ({}, False),
    ],
)
def test_chat_template(tokenizer_config: dict[str, Any], has: bool) -> None:
    assert has_chat_template(tokenizer_config) is has


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*LLAMA_31_8B, "text_config", "vision_config", "quantization_config"]), json_values)
)
def test_any_json_gives_facts_or_our_error(wild: dict[str, Any]) -> None:
    try:
        found = facts({**LLAMA_31_8B, **wild})
    except PlanError as error:
        fault = error.where
    else:
        fault = ""
        assert ModelFacts.from_json(found.to_json()) == found
        known = min(found.shape.layers, found.shape.head_size, found.shape.key_value_heads) >= 1
        assert known or found.shape.missing
    assert not fault or fault.startswith("config.json: ")
