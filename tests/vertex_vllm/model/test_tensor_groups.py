"""The part of a model that a tensor belongs to, and the sizes of the parts when they are loaded."""

from dataclasses import replace

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B
from vertex_vllm.model.facts import TensorGroup
from vertex_vllm.model.safetensors import Weights, grouped
from vertex_vllm.model.tensor_groups import group_of


@pytest.mark.parametrize(
    ("tensor", "group"),
    [
        ("model.embed_tokens.weight", "embedding"),
        ("transformer.wte.weight", "embedding"),
        ("lm_head.weight", "head"),
        ("model.layers.0.self_attn.q_proj.weight", "attention"),
        ("model.layers.0.self_attn.kv_a_layernorm.weight", "norms"),
        ("model.layers.0.mlp.gate_proj.weight", "feed forward"),
        ("model.layers.0.mlp.experts.7.down_proj.weight_scale", "experts"),
        ("model.layers.0.mlp.shared_experts.up_proj.weight", "experts"),
        ("model.layers.0.input_layernorm.weight", "norms"),
        ("vision_model.transformer.layers.0.self_attn.q_proj.weight", "vision"),
        ("multi_modal_projector.weight", "vision"),
        ("language_model.model.layers.3.cross_attn.k_proj.weight", "attention"),
        ("model.rotary_emb.inv_freq", "other"),
    ],
)
def test_the_part_follows_from_the_name(tensor: str, group: str) -> None:
    assert group_of(tensor) == group


def test_tensors_are_summed_by_part_and_type() -> None:
    found = [
        ("model.layers.0.mlp.up_proj.weight", Weights(8, 8, "F8_E4M3")),
        ("model.layers.1.mlp.up_proj.weight", Weights(8, 8, "F8_E4M3")),
        ("model.layers.1.mlp.up_proj.weight_scale", Weights(1, 4, "F32")),
    ]
    assert grouped(found) == (
        TensorGroup("feed forward", "F32", 1, 4),
        TensorGroup("feed forward", "F8_E4M3", 16, 16),
    )


FLOAT32 = (
    TensorGroup("embedding", "F32", 10, 40),
    TensorGroup("head", "F32", 10, 40),
    TensorGroup("norms", "BF16", 1, 2),
)
QUANTIZED = (
    TensorGroup("feed forward", "I32", 10, 40),
    TensorGroup("feed forward", "F32", 1, 4),
    TensorGroup("norms", "F16", 1, 2),
)


@pytest.mark.parametrize(
    ("groups", "quantization", "tied", "dtype", "loaded"),
    [
        (FLOAT32, "", False, "auto", 42),
        (FLOAT32, "", False, "float32", 84),
        # A stored head that is tied to the embedding.
        (FLOAT32, "", True, "auto", 22),
        # Packed weights and their scales stay as they are.
        (QUANTIZED, "gptq", False, "auto", 46),
    ],
)
def test_what_is_loaded_is_in_the_type_that_is_computed_in(
    groups: tuple[TensorGroup, ...], quantization: str, tied: bool, dtype: str, loaded: int
) -> None:
    facts = replace(LLAMA_8B.reshaped(tied_embeddings=tied), groups=groups, quantization=quantization)
    assert facts.loaded_bytes(dtype) == loaded


def test_without_names_the_stored_bytes_are_converted_as_a_whole() -> None:
    assert LLAMA_8B.loaded_bytes("auto") == LLAMA_8B.weight_bytes
    assert LLAMA_8B.loaded_bytes("float32") == 2 * LLAMA_8B.weight_bytes
