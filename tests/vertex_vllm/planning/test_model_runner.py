"""The model runner of a plan, and its effect on profiling, as read in vLLM's own releases."""

from dataclasses import replace
from typing import Any

import pytest

from vertex_vllm.model.transformer import Transformer, transformer_from_config
from vertex_vllm.planning.memory.activation import activation_term
from vertex_vllm.planning.memory.interval import Interval
from vertex_vllm.planning.memory.overhead import graph_estimate_term, image_term
from vertex_vllm.planning.memory.runner import runners
from vertex_vllm.planning.memory.start import Start
from vertex_vllm.vllm_versions import VersionRange

BLANK: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}
START = Start(
    total_bytes=150_109_880_320,
    gpus=1,
    max_model_len=4096,
    max_num_seqs=256,
    max_num_batched_tokens=8192,
    gpu_memory_utilization=0.9,
)


def model(architecture: str, **fields: Any) -> Transformer:
    return transformer_from_config({**BLANK, "architectures": [architecture], **fields})


def at(earliest: str, latest: str = "", **changes: Any) -> Start:
    return replace(START, versions=VersionRange(earliest, latest or earliest), **changes)


EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 1408}


@pytest.mark.parametrize(
    ("architecture", "fields", "start", "expected"),
    [
        ("LlamaForCausalLM", {}, at("0.21.0"), ("V1",)),
        ("Qwen3ForCausalLM", {}, at("0.22.0"), ("V2",)),
        ("Qwen3ForCausalLM", {}, at("0.22.0", quantization="fp8"), ("V1",)),
        ("LlamaForCausalLM", {}, at("0.22.1"), ("V1",)),
        ("LlamaForCausalLM", {}, at("0.23.0"), ("V2",)),
        ("LlamaForCausalLM", {}, at("0.24.0", quantization="fp8"), ("V2",)),
        ("Gemma2ForCausalLM", {"sliding_window": 4096}, at("0.24.0"), ("V1",)),
        ("Gemma2ForCausalLM", {"sliding_window": 4096}, at("0.26.0"), ("V2",)),
        ("Qwen3MoeForCausalLM", EXPERTS, at("0.26.0"), ("V1",)),
        ("DeepseekV2ForCausalLM", {**EXPERTS, "kv_lora_rank": 512}, at("0.26.0"), ("V2",)),
        ("DeepseekV3ForCausalLM", {**EXPERTS, "kv_lora_rank": 512}, at("0.26.0"), ("V1",)),
        ("Qwen3MoeForCausalLM", EXPERTS, at("0.32.0"), ("V2",)),
        # V2 lacks speculation by n-grams.
        ("LlamaForCausalLM", {}, at("0.26.0", speculation="ngram"), ("V1",)),
        ("LlamaForCausalLM", {}, at("0.20.0", "0.26.0"), ("V2", "V1")),
        ("LlamaForCausalLM", {}, START, ("V2", "V1")),
    ],
)
def test_the_runner_follows_from_version_architecture_and_quantisation(
    architecture: str, fields: dict[str, Any], start: Start, expected: tuple[str, ...]
) -> None:
    assert runners(model(architecture, **fields), start) == expected


def test_where_both_runners_are_possible_the_activation_covers_both() -> None:
    llama = model("LlamaForCausalLM")
    many = {"max_num_seqs": 1024}
    old, new = (activation_term(llama, at(version, **many), known=True).amount for version in ("0.21.0", "0.25.0"))
    both = activation_term(llama, at("0.21.0", "0.25.0", **many), known=True).amount
    assert both == Interval(min(old.low, new.low), new.likely, max(old.high, new.high))


@pytest.mark.parametrize(
    ("start", "source"),
    [
        (at("0.20.2"), "not deducted by this vLLM"),
        (at("0.22.0"), "deducted on the V1 model runner; measured on an H200"),
        (at("0.26.0"), "not deducted by this vLLM"),
        (at("0.30.0"), "deducted on the V2 model runner; measured on an H200"),
        # Neither end of the range deducts, and a version between them does.
        (at("0.20.0", "0.26.0"), "deducted by some of these vLLM versions"),
        (at("0.30.0", enforce_eager=True), "not deducted"),
    ],
)
def test_graphs_are_deducted_by_some_versions(start: Start, source: str) -> None:
    assert graph_estimate_term(model("LlamaForCausalLM"), start).source == source


def test_images_are_not_profiled_by_the_first_versions_of_the_second_runner() -> None:
    seeing = model(
        "Idefics3ForConditionalGeneration",
        vision_config={"image_size": 1536, "patch_size": 16, "hidden_size": 1152},
    )
    terms = [image_term(seeing, at(*versions)) for versions in (("0.24.0",), ("0.26.0",), ("0.24.0", "0.26.0"))]
    first, second, either = (term.amount if term else None for term in terms)
    assert second == Interval.exact(0)
    assert first is not None
    assert first.low > 0
    assert either == Interval(0, first.likely, first.high)
