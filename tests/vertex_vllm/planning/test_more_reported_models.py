"""Further public reports of the kinds in test_reported_models.py."""

from typing import Any

import pytest

from tests.vertex_vllm.model_repository import MadeFile, Tensors, decoder, four_bit, read, repository, small, weights
from tests.vertex_vllm.planning import reported_models as models
from tests.vertex_vllm.planning.planned import plan
from tests.vertex_vllm.planning.reported_models import Files, check_refused, plain, planned

A100, A100x2, L4, L4x2, T4 = (
    {"machine_type": name}
    for name in ("a2-highgpu-1g", "a2-highgpu-2g", "g2-standard-12", "g2-standard-24", "n1-standard-8")
)
LLAMA_8B, LLAMA_1B = models.LLAMA_8B, models.LLAMA_1B
QWEN_72B = {
    **{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "bfloat16"},
    **{"hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80, "num_attention_heads": 64},
    **{"num_key_value_heads": 8, "vocab_size": 152064, "max_position_embeddings": 32768},
}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def compressed(kind: str, bits: int, group: int | None, dynamic: bool) -> dict[str, Any]:
    """`quantization_config` of compressed-tensors: weights of a kind, in groups or by channel; activations too."""
    made = {"num_bits": bits, "type": kind, "symmetric": True, "dynamic": False}
    made |= {"strategy": "group", "group_size": group} if group else {"strategy": "channel"}
    taken = {"num_bits": bits, "type": kind, "strategy": "token", "dynamic": True, "symmetric": True}
    named = "pack-quantized" if bits == 4 else f"{kind}-quantized"
    groups = {"group_0": {"weights": made, "input_activations": taken if dynamic else None, "targets": ["Linear"]}}
    return {"quant_method": "compressed-tensors", "format": named, "config_groups": groups}


def packed(config: dict[str, Any], quantization: dict[str, Any]) -> Files:
    return repository({**config, "quantization_config": quantization}, weights(four_bit(config)))


def quantized(config: dict[str, Any], quantization: dict[str, Any], dtype: str) -> Files:
    return repository({**config, "quantization_config": quantization}, weights(decoder(config, dtype)))


# params.json of mistralai/Mistral-Nemo-Instruct-2407, in a repository without config.json.
PARAMS = {
    **{"dim": 5120, "n_layers": 40, "head_dim": 128, "hidden_dim": 14336, "n_heads": 32, "n_kv_heads": 8},
    **{"rope_theta": 1000000.0, "norm_eps": 1e-05, "vocab_size": 131072, "max_position_embeddings": 131072},
}


def consolidated() -> Tensors:
    inner = {
        **{"attention.wq": (4096, 5120), "attention.wk": (1024, 5120), "attention.wv": (1024, 5120)},
        **{"attention.wo": (5120, 4096), "feed_forward.w1": (14336, 5120), "feed_forward.w2": (5120, 14336)},
        **{"feed_forward.w3": (14336, 5120)},
    }
    made = {f"layers.{n}.{name}.weight": ("BF16", shape) for n in range(40) for name, shape in inner.items()}
    return {**made, **dict.fromkeys(("tok_embeddings.weight", "output.weight"), ("BF16", (131072, 5120)))}


def mistral_common(params: dict[str, Any]) -> Files:
    files = (small("params.json", params), small("tekken.json", {}))
    return repository(None, *files, weights(consolidated(), "consolidated.safetensors"), tokenizer=False)


def shard(tensors: Tensors, number: int, of: int) -> MadeFile:
    return weights(tensors, f"model-{number:05}-of-{of:05}.safetensors")


REFUSED = [
    # vllm#13640, #2699, #5675, Qwen3-VL#831: 29568 / 2 is no multiple of 128.
    (packed(QWEN_72B, AWQ), A100x2, "29568 wide awq layers in groups of 128 cannot be split over 2", "Take g4-st"),
    (
        packed(QWEN_72B, compressed("int", 4, 128, dynamic=False)),
        A100x2,
        "29568 wide compressed-tensors layers in groups of 128 cannot be split over 2",
        "Take g4-standard-48",
    ),
    # vllm#1157, #946: a T4 computes no bfloat16.
    (plain(LLAMA_1B), {**T4, "dtype": "bfloat16"}, "cannot compute in bfloat16", "serving.dtype: auto would fit"),
    # vllm#8409, PR #39195.
    (
        quantized(models.QWEN3_4B, FP8, "F8_E4M3"),
        {**L4, "extra_args": ["--kv-cache-dtype=fp8_e5m2"]},
        "--kv-cache-dtype=fp8_e5m2 may not be beside fp8 weights",
        "fp8_e4m3",
    ),
    # llm-compressor#1258: a scheme of compressed-tensors that the card is too old for.
    (
        quantized(LLAMA_8B, compressed("float", 8, None, dynamic=True), "F8_E4M3"),
        T4,
        "compressed-tensors/w8a8_fp8 needs 8.0",
        "Take g2-standard-12",
    ),
    # vllm#180, #1152: Whisper.
    (plain({**LLAMA_1B, "architectures": ["WhisperForConditionalGeneration"]}), {}, "transcribes speech alone", ""),
    # vllm#4416, LlamaFactory#980: checkpoints as Meta gives them.
    (
        repository(None, MadeFile("consolidated.00.pth", 9, b""), small("params.json", {"dim": 4096})),
        {},
        "Meta's original checkpoints",
        "-hf",
    ),
    # A class by an override, which vLLM runs as a classifier.
    (
        models.QWEN,
        {"extra_args": ['--hf-overrides={"architectures": ["Qwen2ForSequenceClassification"]}']},
        "makes acme/model a model that embeds, ranks or classifies",
        "Leave the override",
    ),
    (
        models.QWEN,
        {"extra_args": ["--hf-overrides.architectures+=Qwen3ForSequenceClassification"]},
        "makes acme/model a model that embeds, ranks or classifies",
        "Leave the override",
    ),
    (plain({**LLAMA_1B, "architectures": ["Qwen2ForProcessRewardModel"]}), {}, "ends with RewardModel", "Choose"),
    # transformerlab-app#370: without chunking, the longest prompt does not fit into a step.
    (
        models.QWEN,
        {**A100, "extra_args": ["--no-enable-chunked-prefill", "--max-num-batched-tokens=512"]},
        "a step of 512 tokens (--max-num-batched-tokens) is less than max_model_len 4096",
        "Ask for 4096 or more",
    ),
    (models.QWEN, {**A100x2, "extra_args": ["--tensor-parallel-size=3"]}, "the arguments ask for 3", "Ask for as many"),
    # A class that the registry does not have: by its name vLLM runs it as one that embeds.
    (plain({**LLAMA_1B, "architectures": ["Qwen3Model"]}), {}, "its class Qwen3Model ends with Model", "Choose"),
    # vllm#12256, #1816: the number of accelerators must divide the split dimensions.
    (
        plain({**LLAMA_1B, "intermediate_size": 8190}),
        {"machine_type": "a2-highgpu-4g"},
        "8190 wide feed-forward layers cannot be split over 4",
        "Take g2-standard-8",
    ),
    (
        plain({**LLAMA_1B, "num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 576}),
        {"machine_type": "a2-highgpu-8g", "extra_args": ["--tensor-parallel-size=2"]},
        "9 attention heads cannot be split over 2",
        "Write --tensor-parallel-size=1",
    ),
    (
        plain({**LLAMA_1B, "num_attention_heads": 12, "num_key_value_heads": 3, "hidden_size": 768}),
        {"machine_type": "a2-highgpu-8g", "extra_args": ["--tensor-parallel-size=8"]},
        "12 attention heads cannot be split over 8",
        "Write --tensor-parallel-size=1",
    ),
    # The old form of an argument.
    (models.QWEN, {**A100, "extra_args": ["--limit-mm-per-prompt", "image=2"]}, "must be JSON", "quotes"),
    (models.QWEN, {**A100, "extra_args": ["--enable-chunked-prefill=False"]}, "takes no value, not even 'False'", ""),
    (models.QWEN, {**A100, "extra_args": ["--num-scheduler-steps=8"]}, "does not have --num-scheduler-steps", ""),
    (models.QWEN, {**A100, "extra_args": ["--reasoning-parser=deepseek-r1"]}, "may not be 'deepseek-r1'", "qwen3"),
    # vllm#888, gpustack#313: more tokens than there are positions; GPT-2 has 1024.
    (
        repository(
            {
                **{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 768, "n_layer": 12},
                **{"n_head": 12, "n_positions": 1024, "vocab_size": 50257},
            },
            weights({"wte.weight": ("F32", (50257, 768))}),
        ),
        {"max_model_len": 2048},
        "takes at most 1024 tokens, not 2048",
        "",
    ),
]


@pytest.mark.parametrize(
    ("files", "parameters", "message", "fix"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_vllm_refuses_and_so_does_the_plan(files: Files, parameters: dict[str, Any], message: str, fix: str) -> None:
    check_refused(files, parameters, message, fix)


FITS = [
    # vllm#1488: AWQ needs 7.5, and computes in float16 on a T4 though the model is bfloat16.
    (packed(LLAMA_8B, AWQ), T4),
    (packed(LLAMA_8B, GPTQ), T4),
    (packed(LLAMA_8B, AWQ), {**L4, "dtype": "bfloat16"}),
    (packed(LLAMA_8B, AWQ), L4x2),
    # Weights of 8-bit floats on a card without them: 0.11 to 0.13 unpack them.
    (quantized(LLAMA_8B, compressed("float", 8, None, dynamic=True), "F8_E4M3"), A100),
    (quantized(LLAMA_8B, compressed("int", 8, None, dynamic=True), "I8"), A100),
    # Overrides in dotted parts, as in one piece.
    (
        plain({**LLAMA_1B, "max_position_embeddings": 32768}),
        {
            **A100,
            "max_model_len": 131072,
            "extra_args": [f"--hf-overrides.rope_scaling.{name}={value}" for name, value in YARN.items()],
        },
    ),
    # vllm#2565, #3676: stretched by config.json.
    (
        plain({**LLAMA_1B, "max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}),
        {"max_model_len": 16384},
    ),
    (plain({key: value for key, value in LLAMA_1B.items() if key != "torch_dtype"}), T4),
    (mistral_common(PARAMS), {}),
]


@pytest.mark.parametrize("architecture", ["ChatGLMModel", "InternVLChatModel", "GPT2LMHeadModel", "AquilaModel"])
def test_a_class_that_the_registry_has_generates_whatever_its_name(architecture: str) -> None:
    assert planned(plain({**LLAMA_1B, "architectures": [architecture]})).chat


@pytest.mark.parametrize(("files", "parameters"), FITS, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_vllm_serves_and_the_plan_says_that_it_fits(files: Files, parameters: dict[str, Any]) -> None:
    decided = planned(files, **parameters)
    assert decided.verdict == "fits", decided.reasons
    assert "doubts" not in decided.reasons


def test_a_72b_awq_model_is_planned_on_a_machine_that_need_not_split_it() -> None:
    decided = planned(packed(QWEN_72B, AWQ))
    assert (decided.machine_type, decided.verdict) == ("g4-standard-48", "fits")


def test_groups_of_gptq_are_told_as_what_vllm_may_refuse() -> None:
    """vllm#17604: another kernel may take them, and fail later."""
    told = planned(packed(QWEN_72B, GPTQ), **A100x2).reasons["machine_type"]
    assert "vLLM may refuse it: 29568 wide gptq layers in groups of 128 cannot be split over 2" in told


def test_a_repository_of_mistral_s_own_format_needs_no_config() -> None:
    """vllm PR #8168, #10534: params.json has the shape."""
    facts = read(mistral_common(PARAMS))
    assert (facts.architecture, facts.shape.layers, facts.shape.hidden_size, facts.shape.key_value_heads) == (
        "MistralForCausalLM",
        40,
        5120,
        8,
    )
    assert (facts.context_length, facts.chat_template, facts.doubts) == (131072, True, ())
    assert set(plan(facts).args) >= {"--tokenizer-mode=mistral", "--config-format=mistral", "--load-format=mistral"}


@pytest.mark.parametrize(
    ("params", "architecture", "vision"),
    [
        ({"vision_encoder": {"hidden_size": 1024, "image_size": 1024}}, "PixtralForConditionalGeneration", True),
        ({"multimodal": {"vision_encoder_args": {"hidden_size": 1024}}}, "PixtralForConditionalGeneration", True),
        ({"multimodal": {"whisper_model_args": {"encoder_args": {}}}}, "VoxtralForConditionalGeneration", False),
        ({"moe": {"num_experts": 8, "num_experts_per_tok": 2}}, "MixtralForCausalLM", False),
    ],
)
def test_its_class_is_the_one_that_vllm_chooses(params: dict[str, Any], architecture: str, vision: bool) -> None:
    facts = read(mistral_common({**PARAMS, **params}))
    assert (facts.architecture, facts.vision, facts.shape.layers) == (architecture, vision, 40)


def test_its_quantisation_is_read_from_params() -> None:
    params = {**PARAMS, "quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"}}
    assert read(mistral_common(params)).quantization == "fp8"


def test_a_series_of_files_with_a_gap_is_a_doubt() -> None:
    first = {name: tensor for name, tensor in decoder(LLAMA_1B).items() if "layers.15" not in name}
    decided = planned(repository({**LLAMA_1B, "num_hidden_layers": 15}, shard(first, 1, 2)))
    assert decided.reasons["doubts"] == "model-*-of-00002 has 1 of 2 files"
    assert decided.verdict == "uncertain" or decided.reasons["memory"].startswith("uncertain")


# vllm#19953: a finetuned model of Mistral's without consolidated files.
def test_mistral_s_format_without_consolidated_files_is_a_doubt_with_a_way_out() -> None:
    files = (small("params.json", {}), small("tekken.json", {}))
    doubts = read(repository(models.DEVSTRAL, weights(decoder(models.DEVSTRAL)), *files, tokenizer=False)).doubts
    assert "--config-format=hf with --load-format=auto would read its other weights" in doubts[0]
