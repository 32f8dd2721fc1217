"""Quantised weights that share a scale must stay on one accelerator, which limits how a model can be split."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import OTHER, plan
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.transformer import transformer_from_config

# Qwen/Qwen3-30B-A3B-FP8: experts of 768 in blocks of 128, which 1, 2 and 3 accelerators can share, and not 4.
EXPERTS = {
    **{"architectures": ["Qwen3MoeForCausalLM"], "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144},
    **{"num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128},
    **{"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "max_position_embeddings": 40960},
}
BLOCKS = {"quant_method": "fp8", "weight_block_size": [128, 128]}


def facts(quantization: dict[str, Any]) -> ModelFacts:
    shape = transformer_from_config({**EXPERTS, "quantization_config": quantization})
    return replace(
        OTHER,
        quantization=quantization["quant_method"],
        weight_bytes=31_000_000_000,
        shape=shape,
    )


@pytest.mark.parametrize("split", [4, 8])
def test_blocks_that_would_be_torn_apart_are_refused(split: int) -> None:
    with pytest.raises(PlanError) as refused:
        plan(facts(BLOCKS), machine_type="a3-highgpu-8g", extra_args=[f"--tensor-parallel-size={split}"])
    told = f"768 wide fp8 layers in groups of 128 cannot be split over {split} accelerators"
    assert told in refused.value.message


@pytest.mark.parametrize("split", [4, 8])
def test_experts_that_are_spread_whole_have_no_blocks_to_tear(split: int) -> None:
    """As Qwen3-235B-A22B-FP8 is served on 8 GPUs: experts of 1536 in blocks of 128."""
    arguments = [f"--tensor-parallel-size={split}", "--enable-expert-parallel"]
    decided = plan(facts(BLOCKS), machine_type="a3-highgpu-8g", extra_args=arguments)
    assert "cannot be split" not in decided.reasons["machine_type"]


@pytest.mark.parametrize("split", [1, 2])
def test_blocks_that_stay_whole_are_not(split: int) -> None:
    argument = f"--tensor-parallel-size={split}"
    assert argument in plan(facts(BLOCKS), machine_type="a3-highgpu-8g", extra_args=[argument]).args


def test_four_bit_groups_are_a_matter_of_the_kernel() -> None:
    gptq = facts({"quant_method": "gptq", "group_size": 128})
    decided = plan(gptq, machine_type="a3-highgpu-8g")
    assert decided.verdict == "uncertain"
    assert "768 wide gptq layers in groups of 128" in decided.reasons["machine_type"]
    assert plan(facts({"quant_method": "gptq", "group_size": -1}), machine_type="a3-highgpu-8g").verdict == "fits"
