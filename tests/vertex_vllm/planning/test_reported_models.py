"""What people reported of serving models with vLLM, asked of the plan: the repository is read, then planned."""

from typing import Any

import pytest

from tests.vertex_vllm.model_repository import decoder, read, repository, small, weights
from tests.vertex_vllm.planning import reported_models as models
from tests.vertex_vllm.planning.reported_models import Files, check_refused, plain, planned
from vertex_vllm.errors import PlanError

A100, L4, T4 = ({"machine_type": name} for name in ("a2-highgpu-1g", "g2-standard-8", "n1-standard-8"))


def arg(text: str, *more: str) -> dict[str, Any]:
    return {**A100, "extra_args": [text, *more]}


REFUSED = [
    # vllm#14817: Gemma refuses float16; the fix that was advised was never tried.
    (plain(models.GEMMA3_1B), {**L4, "dtype": "float16"}, "computes no gemma3_text model in float16", "dtype: auto"),
    (plain(models.GEMMA3_1B), {**T4, "dtype": "float16"}, "computes no gemma3_text model in float16", "dtype: auto"),
    # vllm#22288: mxfp4 takes bfloat16 alone, and needs Ampere.
    (
        models.GPT_OSS,
        {"machine_type": "g2-standard-12", "dtype": "float16"},
        "mxfp4 weights are computed in bf",
        "serving.dtype: auto is what vLLM takes; whether the model fits is then uncertain",
    ),
    (
        models.GPT_OSS,
        {**T4, "dtype": "float16"},
        "capability 7.5, mxfp4 needs 8.0",
        " with serving.dtype: auto, which vLLM does not refuse",
    ),
    # vllm PR #50019, Model-Optimizer#261: the method may be in a file of its own.
    (
        plain({**models.LLAMA_8B, "quantization_config": models.MODELOPT}, "F8_E4M3"),
        A100,
        "modelopt needs 8.9",
        "Take g2",
    ),
    (
        (*plain(models.LLAMA_8B, "F8_E4M3"), models.MODELOPT_FILE),
        A100,
        "NVIDIA_TESLA_A100 has compute capability 8.0, modelopt needs 8.9 in vLLM 0.11.0 to 0.13.0",
        "",
    ),
    # vllm#6979: FP8 needs 8.0 until 0.13.
    (
        plain({**models.QWEN3_4B, "quantization_config": models.BLOCK_FP8}, "F8_E4M3"),
        {**T4, "dtype": "float16"},
        "fp8 needs 8.0",
        "",
    ),
    # vllm#11577, #12791: models that embed.
    (models.EMBEDDING, {}, "modules.json of sentence-transformers has a pooling module", "Choose a model"),
    (models.QWEN, arg("--runner=pooling"), "--runner=pooling makes a model that embeds", "Leave it out"),
    # transformers#30513, vllm#1625: adapters.
    (
        repository(None, *models.ADAPTER_FILES),
        {},
        "an adapter (LORA) of meta-llama/Llama-3.1-8B-Instruct",
        "Serve meta",
    ),
    (repository(models.LLAMA_8B, *models.ADAPTER_FILES), {}, "an adapter (LORA) of meta-llama", "Serve meta-llama"),
    # vllm#15124: the embedding has other rows than vocab_size.
    (plain(models.LLAMA_1B, vocabulary=128264), {}, "128264 rows of the embedding, config.json says 128256", ""),
    # vllm#9986, #7780: values that the version's parser, or its set-up, refuses.
    (models.QWEN, arg("--enable-auto-tool-choice"), "needs --tool-call-parser beside it", "--tool-call-parser=hermes"),
    (
        models.QWEN,
        arg("--enable-auto-tool-choice", "--tool-call-parser=qwen25"),
        "--tool-call-parser may not be 'qwen25'",
        "hermes",
    ),
    (models.QWEN, arg("--dtype=fp16"), "--dtype may not be 'fp16'", "float16"),
    (models.QWEN, arg("--kv-cache-dtype=int8"), "--kv-cache-dtype may not be 'int8'", "fp8"),
    (models.QWEN, arg("--enable-prefix-caching=True"), "--enable-prefix-caching takes no value", "Write --enable"),
    (models.QWEN, arg("--chat-template=examples/tool.jinja"), "that the container does not have", "Write the template"),
    # vllm#20612: an adapter that the container would fetch without a token.
    (
        models.QWEN,
        arg("--enable-lora", "--lora-modules=sql=acme/adapter"),
        "an adapter on the Hub, acme/adapter",
        "gs://",
    ),
    # vllm#16757, #26431, #5951, #1658.
    (models.QWEN, {**A100, "max_model_len": 131072}, "takes at most 32768 tokens", "--hf-overrides"),
    (models.QWEN, arg("--max-num-batched-tokens=64"), "a step of 64 tokens", "max_num_seqs: 64"),
    (models.QWEN, arg("--enable-reasoning"), "does not have --enable-reasoning", "Leave it out"),
    (models.QWEN, {"machine_type": "g2-standard-96"}, "28 attention heads cannot be split over 8", "g2-standard-12"),
    # vllm#16208: an image that Vertex AI cannot pull.
    (models.QWEN, {"image": "vllm/vllm-openai:v0.11.0"}, "Artifact Registry and Container Registry alone", "Copy it"),
]


@pytest.mark.parametrize(
    ("files", "parameters", "message", "fix"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_vllm_refuses_and_so_does_the_plan(files: Files, parameters: dict[str, Any], message: str, fix: str) -> None:
    check_refused(files, parameters, message, fix)


def test_dtype_auto_is_resolved_as_the_card_allows() -> None:
    decided = planned(plain(models.GEMMA3_1B), **T4)
    assert decided.verdict != "does not fit"
    assert "vLLM computes the model in float32 there" in decided.reasons["machine_type"]


def test_stored_bitsandbytes_weights_go_to_one_card() -> None:
    config = {**models.LLAMA_70B, "quantization_config": models.BNB}
    decided = planned(plain(config, "U8"))
    assert (decided.verdict, decided.accelerator_count) == ("fits", 1)
    assert "--tensor-parallel-size=1" in decided.args


def test_a_length_that_an_override_stretches_is_planned() -> None:
    override = (
        '--hf-overrides={"rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768}}'
    )
    large = {"machine_type": "a2-ultragpu-1g", "max_model_len": 131072}
    decided = planned(models.QWEN, **large, extra_args=[override])
    assert (decided.verdict, decided.max_model_len) == ("fits", 131072)
    assert planned(plain({**models.QWEN_7B, "rope_scaling": models.YARN}), **large).max_model_len == 131072


@pytest.mark.parametrize(
    ("files", "length"),
    [(models.FALCON, 2048), (models.STARCODER, 4096), (models.OMNI, 4096), (models.MAMBA, 2048)],
    ids=["falcon", "gpt-bigcode", "omni", "mamba"],
)
def test_a_shape_that_nobody_has_read_is_uncertain_and_no_refusal(files: Files, length: int) -> None:
    decided = planned(files)
    assert (decided.verdict, decided.max_model_len) == ("uncertain", length)


def test_float32_files_are_loaded_in_16_bits() -> None:
    decided = planned(models.STARCODER, machine_type="a2-highgpu-1g", max_model_len=8192)
    assert decided.verdict == "uncertain"
    assert "weights 30.1" in decided.reasons["memory"]


@pytest.mark.parametrize(
    "extra", [[], ["--tokenizer-mode=mistral", "--config-format=mistral", "--load-format=mistral"]]
)
def test_a_repository_of_mistral_common_gets_its_formats_and_chats(extra: list[str]) -> None:
    decided = planned(models.MISTRAL_COMMON, extra_args=extra)
    formats = [text for text in decided.args if text.endswith("=mistral")]
    assert formats == ["--tokenizer-mode=mistral", "--config-format=mistral", "--load-format=mistral"]
    assert decided.chat


def test_a_tokenizer_of_transformers_5_is_a_doubt_in_an_older_image() -> None:
    decided = planned(models.NEW_TOKENIZER)
    assert decided.verdict == "uncertain"
    assert "TokenizersBackend, a class of transformers 5" in decided.reasons["doubts"]
    newer = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20251205_0916_RC01"
    assert decided.image == newer


def test_a_picture_that_is_larger_than_the_context_is_told() -> None:
    told = planned(models.QWEN2_VL).reasons["max_model_len"]
    assert "one picture at its largest takes 16384 tokens, more than that" in told


def test_thinking_is_no_reason_to_refuse() -> None:
    assert "--reasoning-parser=deepseek_r1" in planned(models.QWEN, **arg("--reasoning-parser=deepseek_r1")).args


def test_gemmas_vocabulary_is_transformers_default() -> None:
    text = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "torch_dtype": "bfloat16"}
    made = {**text, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262208}
    facts = read(repository({**config, "text_config": text, "vision_config": {}}, weights(decoder(made))))
    assert (facts.shape.vocabulary, facts.faults, facts.doubts) == (262208, (), ())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (repository(None, small("model-Q4_K_M.gguf", b"GGUF")), "GGUF files alone"),
        (repository(None, small("model_index.json", {})), "a diffusers pipeline"),
        (repository(models.LLAMA_1B, weights(decoder(models.LLAMA_1B)), tokenizer=False), "has no tokenizer"),
    ],
)
def test_a_repository_is_named_for_what_it_is(files: Files, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        planned(files)
