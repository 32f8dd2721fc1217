"""The memory model on unmeasured models: published counts, vLLM's own arithmetic, and unknown terms."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.model.transformer import Transformer, transformer_from_config
from vertex_vllm.planning.memory.account import MemoryAccount
from vertex_vllm.planning.memory.cache import cache_layout, token_bytes_of_layer
from vertex_vllm.planning.memory.estimate import estimate_memory
from vertex_vllm.planning.memory.explain import explain_memory
from vertex_vllm.planning.memory.interval import GIB
from vertex_vllm.planning.memory.overhead import image_term
from vertex_vllm.planning.memory.remedies import largest_sequences, longest_context, remedies
from vertex_vllm.planning.memory.start import Start, default_batched_tokens
from vertex_vllm.planning.memory.weights import parameters, weights_term
from vertex_vllm.vllm_versions import VersionRange

PUBLISHED: dict[str, tuple[int, dict[str, Any]]] = {
    "MistralForCausalLM": (
        7_248_023_552,
        {"vocab_size": 32768, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
         "num_attention_heads": 32, "num_key_value_heads": 8},
    ),
    "Qwen2ForCausalLM": (
        7_615_616_512,
        {"vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
         "num_attention_heads": 28, "num_key_value_heads": 4},
    ),
    "Qwen3ForCausalLM": (
        8_190_735_360,
        {"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
         "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128},
    ),
    "Gemma2ForCausalLM": (
        9_241_705_984,
        {"vocab_size": 256000, "hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42,
         "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256, "sliding_window": 4096},
    ),
    "MixtralForCausalLM": (
        46_702_792_704,
        {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
         "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2},
    ),
    "Qwen2MoeForCausalLM": (
        14_315_784_192,
        {"vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 5632, "moe_intermediate_size": 1408,
         "num_hidden_layers": 24, "num_attention_heads": 16, "num_experts": 60, "num_experts_per_tok": 4},
    ),
    "DeepseekV2ForCausalLM": (
        15_706_484_224,
        {"vocab_size": 102400, "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408,
         "num_hidden_layers": 27, "num_attention_heads": 16, "n_routed_experts": 64, "num_experts_per_tok": 6,
         "kv_lora_rank": 512, "q_lora_rank": None},
    ),
    "DeepseekV3ForCausalLM": (
        671_026_419_200,
        {"vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
         "num_hidden_layers": 61, "num_attention_heads": 128, "n_routed_experts": 256, "num_experts_per_tok": 8,
         "kv_lora_rank": 512, "q_lora_rank": 1536},
    ),
}  # fmt: skip
LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072,
}  # fmt: skip
LLAMA_405B = LLAMA_8B | {
    "hidden_size": 16384, "intermediate_size": 53248, "num_hidden_layers": 126, "num_attention_heads": 128,
    "num_key_value_heads": 16,
}  # fmt: skip
MLLAMA = {
    "architectures": ["MllamaForConditionalGeneration"],
    "text_config": LLAMA_8B | {"num_hidden_layers": 40, "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38]},
    "vision_config": {"image_size": 560, "patch_size": 14, "max_num_tiles": 4, "hidden_size": 1280},
}
L4, A100, H200 = int(22.03 * GIB), int(39.38 * GIB), 150_109_880_320
FOO = LLAMA_8B | {"architectures": ["FooForCausalLM"]}
START = Start(
    total_bytes=H200,
    gpus=1,
    max_model_len=4096,
    max_num_seqs=256,
    max_num_batched_tokens=8192,
    gpu_memory_utilization=0.9,
    versions=VersionRange("0.26.0", "0.26.0"),
)
ON_L4 = replace(START, total_bytes=L4, max_num_batched_tokens=2048)


def published(architecture: str) -> Transformer:
    return model(PUBLISHED[architecture][1] | {"architectures": [architecture], "max_position_embeddings": 32768})


def model(config: dict[str, Any]) -> Transformer:
    return transformer_from_config(config)


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_parameters_are_those_that_the_model_was_published_with(architecture: str) -> None:
    counted = parameters(published(architecture), 1)
    assert counted.linear + counted.tables == pytest.approx(PUBLISHED[architecture][0], rel=0.0005)


def test_weights_are_sharded_and_few_key_value_heads_replicated() -> None:
    qwen = published("Qwen2ForCausalLM")
    assert parameters(qwen, 4).linear * 4 == parameters(qwen, 1).linear
    one_head_twice = 28 * 2 * 3584 * 128 * 4  # layers × keys and values × hidden × head size × four more heads
    assert parameters(qwen, 8).linear * 8 - parameters(qwen, 1).linear == one_head_twice


def test_405b_in_fp8_takes_what_vllm_logged_on_each_of_eight_gpus() -> None:
    start = replace(START, gpus=8, tensor_parallel=8, quantization="fbgemm_fp8", weight_bytes=495_684_976_640)
    assert weights_term(model(LLAMA_405B), start).amount.likely / GIB == pytest.approx(57.752, rel=0.002)


def test_llama_vision_profiles_an_image_for_each_sequence() -> None:
    """36.63 GiB at 128 sequences (vllm-project/vllm#12126)."""
    term = image_term(model(MLLAMA), replace(START, max_num_seqs=128, versions=VersionRange("0.9.2", "0.9.2")))
    assert term
    assert term.amount.likely / GIB == pytest.approx(36.63, rel=0.01)


@pytest.mark.parametrize(
    ("config", "tensor_parallel", "cache", "expected"),
    [
        (LLAMA_8B, 1, "auto", 2 * 8 * 128 * 2),
        (LLAMA_8B, 2, "auto", 2 * 4 * 128 * 2),
        (LLAMA_8B, 16, "auto", 2 * 1 * 128 * 2),  # each GPU keeps a head
        (LLAMA_8B, 1, "fp8", 2 * 8 * 128),
        (LLAMA_8B, 1, "fp8_e5m2", 2 * 8 * 128),
        (PUBLISHED["DeepseekV2ForCausalLM"][1] | {"architectures": ["DeepseekV2ForCausalLM"]}, 4, "auto", 576 * 2),
    ],
)
def test_bytes_of_a_token_in_a_layer(config: dict[str, Any], tensor_parallel: int, cache: str, expected: int) -> None:
    start = replace(START, tensor_parallel=tensor_parallel, kv_cache_dtype=cache)
    assert token_bytes_of_layer(model(config), start) == expected


def test_layers_with_a_window_share_blocks_with_the_others() -> None:
    layout = cache_layout(published("Gemma2ForCausalLM"), START)
    assert (layout.full_groups, layout.window_groups) == (1, 1)
    # 32768 tokens: 2048 blocks in full; a window of 4096 and two steps of 8192: 1280 and one that begins in the middle.
    assert layout.blocks_of_request(32768, START) == 2048 + 1281
    old = replace(START, versions=VersionRange("0.8.5", "0.9.2"))
    assert cache_layout(published("Gemma2ForCausalLM"), old).blocks_of_request(32768, old) == 2048


# Layers in full, with a window, its tokens; key-value heads, their size; context, tokens a step → groups, bytes of one
# request: what `get_kv_cache_groups` and `_max_memory_usage_bytes_from_groups` of vLLM 0.32.0 answered on 2026-11-26.
GROUPED = [
    ((32, 0, 0), (8, 128), (4096, 2048), (1, 536870912)),
    ((13, 13, 4096), (8, 256), (8192, 8192), (2, 1746534400)),
    ((4, 22, 512), (1, 256), (32768, 8192), (7, 549847040)),
    ((5, 29, 1024), (4, 256), (131072, 8192), (7, 4825415680)),
    ((10, 52, 1024), (16, 128), (32768, 8192), (7, 11248599040)),
    ((0, 32, 4096), (8, 128), (32768, 8192), (1, 2686451712)),
    ((12, 12, 128), (8, 64), (131072, 8192), (2, 3627417600)),
    ((16, 48, 4096), (8, 128), (8192, 2048), (4, 2150629376)),
    ((1, 3, 512), (8, 128), (4096, 512), (4, 35848192)),
    ((9, 15, 4096), (8, 128), (32768, 8192), (3, 2719088640)),
]


@pytest.mark.parametrize(("layers", "heads", "sizes", "expected"), GROUPED)
def test_the_cache_is_grouped_as_vllm_groups_it(
    layers: tuple[int, int, int], heads: tuple[int, int], sizes: tuple[int, int], expected: tuple[int, int]
) -> None:
    (full, windowed, window), (key_values, head_size), (length, step) = layers, heads, sizes
    model = replace(
        published("Qwen3ForCausalLM"),
        layers=full + windowed,
        sliding_layers=windowed,
        sliding_window=window,
        key_value_heads=key_values,
        head_size=head_size,
    )
    recent = VersionRange("0.32.0", "0.32.0")
    start = replace(START, versions=recent, max_model_len=length, max_num_batched_tokens=step)
    layout = cache_layout(model, start)
    found = layout.block_bytes * layout.blocks_of_request(length, start)
    assert (layout.full_groups + layout.window_groups, found) == expected


def test_the_step_is_as_large_as_the_card() -> None:
    cards = [
        (L4, "NVIDIA_L4"),
        (80 * GIB, "NVIDIA_A100_80GB"),
        (79 * GIB, "NVIDIA_H100_80GB"),
        (178 * GIB, "NVIDIA_B200"),
    ]
    assert [default_batched_tokens(*card) for card in cards] == [2048, 2048, 8192, 16384]


@pytest.mark.parametrize(
    ("config", "start", "verdict", "reason"),
    [
        (FOO, START, "uncertain", "how FooForCausalLM uses memory is not known"),
        (LLAMA_8B | {"vocab_size": None}, START, "uncertain", "config.json: vocab_size is not known"),
        (LLAMA_8B, replace(START, quantization="exotic"), "uncertain", "how much exotic weights take is not known"),
        ({}, START, "uncertain", "config.json: vocab_size is not known"),
        (FOO, replace(START, weight_bytes=2 * H200), "does not fit", "too little"),
        (LLAMA_8B, replace(START, gpu_memory_utilization=0.999), "does not fit", "an empty card has less free memory"),
        (LLAMA_8B, replace(ON_L4, max_model_len=131072), "does not fit", "131072 tokens needs 16.00 GiB"),
        (LLAMA_8B, replace(START, tensor_parallel=3, gpus=4), "does not fit", "32 attention heads cannot be split"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_uncertain_and_what_cannot_be_is_refused(
    config: dict[str, Any], start: Start, verdict: str, reason: str
) -> None:
    estimate = estimate_memory(model(config), start)
    assert estimate.verdict == verdict
    assert reason in estimate.reasons[0]


def test_remedies_of_a_misfit_fit_and_are_not_recited() -> None:
    start = replace(ON_L4, max_model_len=32768)
    found = remedies(model(LLAMA_8B), start)
    assert [remedy.change.partition(":")[0] for remedy in found] == [
        "serving.max_model_len",
        "serving.extra_args",
        "serving.extra_args",
        "a machine with 2 such GPUs",
    ]
    assert {remedy.estimate.verdict for remedy in found} == {"fits"}
    vision = replace(ON_L4, total_bytes=A100, versions=VersionRange("0.9.2", "0.9.2"))
    first = remedies(model(MLLAMA), vision)[0]
    assert first.change == f"serving.max_num_seqs: {largest_sequences(model(MLLAMA), vision)}"
    assert 12 <= first.estimate.start.max_num_seqs < 128


def test_limits_fit_and_one_more_does_not() -> None:
    llama = model(LLAMA_8B)
    length = longest_context(llama, ON_L4)
    verdicts = [estimate_memory(llama, replace(ON_L4, max_model_len=length + more)).verdict for more in (0, 1)]
    assert verdicts[0] == "fits"
    assert verdicts[1] != "fits"


def test_every_term_is_unfolded_with_its_source() -> None:
    text = explain_memory(MemoryAccount.of(estimate_memory(model(LLAMA_8B), ON_L4)))
    names = [line.split("  ")[0] for line in text.splitlines()[:7]]
    assert names == [
        "requested",
        "− weights",
        "− activation",
        "− non-torch",
        "− CUDA graphs",
        "= KV cache",
        "one request",
    ]
    assert "22.03 × 0.9" in text


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    count = st.one_of(
        st.none(), st.integers(-1, 300), st.sampled_from([1024, 4096, 128256, 10**12]), st.text(max_size=3)
    )
    names = st.sampled_from([
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings", "kv_lora_rank", "sliding_window", "num_experts",
        "num_experts_per_tok", "layer_types", "cross_attention_layers", "vision_config", "text_config",
    ])  # fmt: skip
    architecture = draw(st.sampled_from([*PUBLISHED, "LlamaForCausalLM", "FooForCausalLM", ""]))
    sane = draw(st.sampled_from([LLAMA_8B, LLAMA_405B, MLLAMA, PUBLISHED["DeepseekV2ForCausalLM"][1], {}]))
    return {**sane, **draw(st.dictionaries(names, count, max_size=3)), "architectures": [architecture]}


starts = st.builds(
    Start,
    total_bytes=st.sampled_from([L4, A100, H200]),
    gpus=st.sampled_from([1, 2, 8]),
    max_model_len=st.integers(1, 200_000),
    max_num_seqs=st.integers(1, 2048),
    max_num_batched_tokens=st.integers(1, 32768),
    gpu_memory_utilization=st.floats(0.01, 1.0),
    tensor_parallel=st.sampled_from([1, 2, 8]),
    pipeline_stages=st.sampled_from([1, 2]),
    quantization=st.sampled_from(["", "fp8", "awq", "exotic"]),
    kv_cache_dtype=st.sampled_from(["auto", "fp8"]),
    enforce_eager=st.booleans(),
    versions=st.sampled_from([None, *(VersionRange(v, v) for v in ("0.9.2", "0.26.0", "0.32.0"))]),
    weight_bytes=st.sampled_from([0, 16_060_522_496, 10**13]),
)


@given(configs(), starts, st.integers(1, 200_000), st.integers(1, 2048))
def test_what_fits_still_fits_when_context_or_sequences_shrink(
    config: dict[str, Any], start: Start, length: int, sequences: int
) -> None:
    transformer = model(config)
    if estimate_memory(transformer, start).verdict == "fits":
        smaller = replace(
            start, max_model_len=min(length, start.max_model_len), max_num_seqs=min(sequences, start.max_num_seqs)
        )
        assert estimate_memory(transformer, smaller).verdict == "fits"
