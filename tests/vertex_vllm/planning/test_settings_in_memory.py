"""Settings that change a GPU's memory: each is in the memory model, or makes the verdict uncertain with a reason."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, OTHER, plan
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.transformer import transformer_from_config

A100 = {"machine_type": "a2-highgpu-1g"}


def terms(facts: ModelFacts, **parameters: Any) -> dict[str, str]:
    """Name of a term → its amount in GiB, as people read it."""
    account = plan(facts, **parameters).memory
    assert account is not None
    return {line.name: str(line.amount) for line in account.deducted}


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("--cpu-offload-gb=4", "--cpu-offload-gb changes how much of the weights stays off the GPU, which "),
        ("--compilation-config={}", "--compilation-config changes which graphs are captured, which is not"),
        ("--num-gpu-blocks-override=100", "--num-gpu-blocks-override changes what the cache takes, which "),
        (
            '--speculative-config={"method": "eagle3", "model": "someone/draft"}',
            "what the draft of speculative decoding takes is not modelled",
        ),
        ("--speculative-config=[]", "what the draft of speculative decoding takes is not modelled"),
        ('--speculative-config={"method": "ngram", "num_speculative_tokens": 3}', ""),
        ("--enable-prefix-caching", ""),
        ("--block-size=32", ""),
        ("--enable-lora", ""),
        ("--kv-cache-dtype=fp8_ds_mla", "how much a cache of fp8_ds_mla takes is not known"),
        # An A100 computes in no 8-bit floating point.
        (
            "--kv-cache-dtype=fp8",
            "whether a card of compute capability 8.0 keeps an 8-bit cache depends on the kernel",
        ),
    ],
)
def test_what_the_model_does_not_know_is_uncertain_and_says_so(argument: str, reason: str) -> None:
    consent = {"trust_remote_code": True, "revision": "c" * 40}
    memory = plan(OTHER, **A100, **consent, extra_args=[argument]).reasons["memory"]
    assert memory.startswith("uncertain: " if reason else "fits: ")
    assert reason in memory


def test_weights_are_counted_in_the_type_that_they_are_computed_in() -> None:
    assert terms(LLAMA_8B, **A100)["weights"] == "14.99 (14.96 to 15.08)"
    assert terms(LLAMA_8B, machine_type="a2-highgpu-2g", dtype="float32")["weights"] == "15.02 (14.96 to 15.11)"


def test_an_8_bit_cache_holds_twice_the_tokens() -> None:
    l4 = {"machine_type": "g2-standard-12"}
    plain, small = (
        plan(LLAMA_8B, **l4, **extra).reasons["memory"] for extra in ({}, {"extra_args": ["--kv-cache-dtype=fp8"]})
    )
    assert "29520 tokens" in plain
    assert "58528 tokens" in small


def test_room_for_adapters_grows_with_their_rank_and_number() -> None:
    # For each rank 81,920 numbers in each of 32 layers and 264,704 for the tables, in 16 bits.
    small = terms(LLAMA_8B, **A100, extra_args=["--enable-lora"])
    large = terms(LLAMA_8B, **A100, extra_args=["--enable-lora", "--max-loras=4", "--max-lora-rank=64"])
    assert "LoRA" not in terms(LLAMA_8B, **A100)
    assert (small["LoRA"], large["LoRA"]) == ("0.09 (0.04 to 0.17)", "1.38 (0.69 to 2.75)")


def test_a_step_is_no_longer_than_all_sequences_together() -> None:
    few = terms(LLAMA_8B, machine_type="a3-highgpu-1g", max_num_seqs=1, max_model_len=512)
    many = terms(LLAMA_8B, machine_type="a3-highgpu-1g", max_num_seqs=1024, max_model_len=512)
    assert few["activation"] != many["activation"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"layer_types": ["linear_attention", "full_attention"]}, "the cache of linear_attention layers is not known"),
        ({"layer_types": ["chunked_attention"]}, "the cache of chunked_attention layers is not known"),
        ({"attention_chunk_size": 8192}, "the cache of layers that attend in chunks is not known"),
    ],
)
def test_layers_whose_cache_is_not_modelled_are_uncertain_in_a_known_architecture(
    fields: dict[str, object], reason: str
) -> None:
    config = {
        **{
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": 128256,
            "hidden_size": 4096,
            "intermediate_size": 14336,
        },
        **{"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8},
        **{"max_position_embeddings": 131072, **fields},
    }
    decided = plan(replace(OTHER, shape=transformer_from_config(config)), machine_type="g2-standard-12")
    assert decided.verdict == "uncertain"
    assert reason in decided.reasons["memory"]
