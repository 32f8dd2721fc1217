"""Adapters are recognised by the widths and the layers of their tensors."""

import re
from dataclasses import replace
from typing import Any

import pytest

from vertex_vllm.model.lora_adapter import adapter_faults, adapter_rank
from vertex_vllm.model.transformer import Transformer

MODEL = Transformer("LlamaForCausalLM", 32_000, 256, 688, 4, 8, 4, 32, 4096, False)
LORA: dict[str, Any] = {"peft_type": "LORA", "r": 8}
LAYER = "base_model.model.model.layers.{}.{}.lora_{}.weight"


@pytest.mark.parametrize(
    ("config", "shapes", "fault"),
    [
        (LORA, {LAYER.format(3, "self_attn.q_proj", "A"): (8, 256)}, ""),
        (LORA, {LAYER.format(3, "self_attn.k_proj", "B"): (128, 8)}, ""),
        (LORA, {LAYER.format(3, "mlp.down_proj", "B"): (256, 8)}, ""),
        # A vision tower has layers of its own.
        (LORA, {"base_model.model.vision_tower.layers.26.self_attn.q_proj.lora_A.weight": (8, 1152)}, ""),
        (LORA, {"base_model.model.vpm.encoder.layers.26.self_attn.q_proj.lora_A.weight": (8, 1152)}, ""),
        (LORA, {"base_model.model.apm.layers.23.self_attn.q_proj.lora_A.weight": (8, 1024)}, ""),
        (LORA, {"base_model.model.talker.model.layers.9.self_attn.q_proj.lora_A.weight": (8, 896)}, ""),
        # A vector for an activation, and a module that the family widens.
        (LORA, {LAYER.format(0, "self_attn.q_proj", "A"): (8,), LAYER.format(0, "mlp.gate", "A"): (8, 99)}, ""),
        (LORA, {LAYER.format(0, "self_attn.q_proj", "A"): (8, 512)}, "made for a hidden size of 512, and .* is 256"),
        (LORA, {LAYER.format(0, "self_attn.q_proj", "A"): (8, 64)}, "made for a hidden size of 64, and .* is 256"),
        (LORA, {LAYER.format(0, "self_attn.o_proj", "B"): (64, 8)}, "made for a hidden size of 64"),
        (LORA, {LAYER.format(4, "self_attn.q_proj", "A"): (8, 256)}, "is of layer 4, and the model has 4 layers"),
        ({**LORA, "use_dora": True}, {}, r"it has DoRA \(use_dora\), which vLLM does not serve"),
        ({**LORA, "lora_bias": True}, {}, "lora_bias"),
        ({**LORA, "bias": "all"}, {}, "trained biases"),
        ({**LORA, "layer_replication": [[0, 4]]}, {}, "repeated layers"),
        ({**LORA, "init_lora_weights": "pissa_niter_16"}, {}, "init_lora_weights: pissa_niter_16"),
        ({**LORA, "init_lora_weights": "gaussian", "bias": "none", "use_dora": False}, {}, ""),
        ({**LORA, "modules_to_save": ["embed_tokens", "lm_head"]}, {}, "modules_to_save: embed_tokens, lm_head"),
        ({**LORA, "modules_to_save": ["score"]}, {}, ""),
        ({"peft_type": "IA3", "r": 8}, {}, "its kind is IA3"),
        ({"peft_type": "LORA"}, {}, "no rank"),
    ],
)
def test_why_an_adapter_does_not_fit(config: dict[str, Any], shapes: dict[str, tuple[int, ...]], fault: str) -> None:
    found = list(adapter_faults(config, shapes, MODEL))
    assert len(found) == bool(fault)
    assert all(re.search(fault, each) for each in found)


def test_a_model_of_unknown_sizes_takes_any_adapter() -> None:
    unknown = replace(MODEL, hidden_size=0, layers=0, missing=("config.json: hidden_size",))
    shapes = {LAYER.format(3, "self_attn.q_proj", "A"): (8, 256)}
    assert list(adapter_faults(LORA, shapes, unknown)) == []


def test_the_largest_rank_counts() -> None:
    assert adapter_rank({"r": 8, "rank_pattern": {"q_proj": 64, "k_proj": "x"}}) == 64
    assert adapter_rank({"r": None}) == 0
