"""Public reports of models that vLLM did not serve: each repository is read, then planned.

Each row has the name of its report. Repositories are made with the shapes that were published.
"""

from typing import Any

import pytest

from tests.vertex_vllm.model_repository import decoder, read, repository, small, weights
from tests.vertex_vllm.planning import reported_models as models
from tests.vertex_vllm.planning.planned import LLAMA_8B, plan
from tests.vertex_vllm.planning.reported_models import Files, check_refused, plain, planned
from vertex_vllm.errors import PlanError, VertexVllmError

A100, L4, T4 = ({"machine_type": name} for name in ("a2-highgpu-1g", "g2-standard-8", "n1-standard-8"))
MISTRAL = ["--tokenizer-mode=mistral", "--config-format=mistral", "--load-format=mistral"]
YARN_ARGUMENT = (
    '--hf-overrides={"rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768}}'
)


def arg(text: str, *more: str) -> dict[str, Any]:
    return {**A100, "extra_args": [text, *more]}


REFUSED: dict[str, tuple[Files, dict[str, Any], str, str]] = {
    # vllm#14817: Gemma refuses float16; the fix that was advised was never tried.
    "gemma3-1b-l4-f16": (
        plain(models.GEMMA3_1B),
        {**L4, "dtype": "float16"},
        "computes no gemma3_text model in float16",
        "dtype: auto",
    ),
    "gemma3-1b-t4-f16": (
        plain(models.GEMMA3_1B),
        {**T4, "dtype": "float16"},
        "computes no gemma3_text model in float16",
        "dtype: auto",
    ),
    # vllm#22288: mxfp4 takes bfloat16 alone, and needs Ampere.
    "gpt-oss-20b-f16": (
        models.GPT_OSS,
        {"machine_type": "g2-standard-12", "dtype": "float16"},
        "mxfp4 weights are computed in bf",
        "serving.dtype: auto is what vLLM takes; whether the model fits is then uncertain",
    ),
    "gpt-oss-20b-t4": (
        models.GPT_OSS,
        {**T4, "dtype": "float16"},
        "capability 7.5, mxfp4 needs 8.0",
        " with serving.dtype: auto, which vLLM does not refuse",
    ),
    # vllm PR #50019, Model-Optimizer#261: the method may be in a file of its own.
    "llama8b-modelopt-a100": (
        plain({**models.LLAMA_8B, "quantization_config": models.MODELOPT}, "F8_E4M3"),
        A100,
        "modelopt needs 8.9",
        "Take g2",
    ),
    "llama8b-modelopt-hfq-a100": (
        (*plain(models.LLAMA_8B, "F8_E4M3"), models.MODELOPT_FILE),
        A100,
        "NVIDIA_TESLA_A100 has compute capability 8.0, modelopt needs 8.9 in vLLM 0.11.0 to 0.13.0",
        "",
    ),
    # vllm#6979: FP8 needs 8.0 until 0.13.
    "qwen3-4b-fp8-t4": (
        plain({**models.QWEN3_4B, "quantization_config": models.BLOCK_FP8}, "F8_E4M3"),
        {**T4, "dtype": "float16"},
        "fp8 needs 8.0",
        "",
    ),
    # vllm#11577, #12791: models that embed.
    "qwen3-embedding": (
        models.EMBEDDING,
        {},
        "modules.json of sentence-transformers has a pooling module",
        "Choose a model",
    ),
    "arg-runner-pooling": (
        models.QWEN,
        arg("--runner=pooling"),
        "--runner=pooling makes a model that embeds",
        "Leave it out",
    ),
    # transformers#30513, vllm#1625: adapters.
    "lora-adapter": (
        repository(None, *models.ADAPTER_FILES),
        {},
        "an adapter (LORA) of meta-llama/Llama-3.1-8B-Instruct",
        "Serve meta",
    ),
    "lora-adapter-with-config": (
        repository(models.LLAMA_8B, *models.ADAPTER_FILES),
        {},
        "an adapter (LORA) of meta-llama",
        "Serve meta-llama",
    ),
    # vllm#15124: the embedding has other rows than vocab_size.
    "vocab-mismatch": (
        plain(models.LLAMA_1B, vocabulary=128264),
        {},
        "128264 rows of the embedding, config.json says 128256",
        "",
    ),
    # vllm#9986, #7780: values that the version's parser, or its set-up, refuses.
    "arg-tool-noparser": (
        models.QWEN,
        arg("--enable-auto-tool-choice"),
        "needs --tool-call-parser beside it",
        "--tool-call-parser=hermes",
    ),
    "arg-tool-badparser": (
        models.QWEN,
        arg("--enable-auto-tool-choice", "--tool-call-parser=qwen25"),
        "--tool-call-parser may not be 'qwen25'",
        "hermes",
    ),
    "arg-dtype-bad": (models.QWEN, arg("--dtype=fp16"), "--dtype may not be 'fp16'", "float16"),
    "arg-kv-bad": (models.QWEN, arg("--kv-cache-dtype=int8"), "--kv-cache-dtype may not be 'int8'", "fp8"),
    "arg-switch-value": (
        models.QWEN,
        arg("--enable-prefix-caching=True"),
        "--enable-prefix-caching takes no value",
        "Write --enable",
    ),
    "arg-chat-template-path": (
        models.QWEN,
        arg("--chat-template=examples/tool.jinja"),
        "that the container does not have",
        "Write the template",
    ),
    # vllm#20612: an adapter that the container would fetch without a token.
    "arg-lora-hub": (
        models.QWEN,
        arg("--enable-lora", "--lora-modules=sql=acme/adapter"),
        "an adapter on the Hub, acme/adapter",
        "gs://",
    ),
    # vllm#16757, #26431, #5951, #1658.
    "qwen25-7b-131k": (models.QWEN, {**A100, "max_model_len": 131072}, "takes at most 32768 tokens", "--hf-overrides"),
    "arg-batched-lt-seqs": (models.QWEN, arg("--max-num-batched-tokens=64"), "a step of 64 tokens", "max_num_seqs: 64"),
    "arg-reason-old": (
        models.QWEN,
        arg("--enable-reasoning", "--reasoning-parser=deepseek_r1"),
        "does not have --enable-reasoning",
        "Leave it out",
    ),
    "qwen25-7b-8l4": (
        models.QWEN,
        {"machine_type": "g2-standard-96"},
        "28 attention heads cannot be split over 8",
        "g2-standard-12",
    ),
    # vllm#16208: an image that Vertex AI cannot pull.
    "own-image": (
        models.QWEN,
        {"image": "vllm/vllm-openai:v0.11.0"},
        "Artifact Registry and Container Registry alone",
        "Copy it",
    ),
    "run-embed": (
        repository(models.SMOLLM, weights(decoder(models.SMOLLM)), small("modules.json", models.MODULES)),
        {"max_model_len": 1024, "max_num_seqs": 8, "extra_args": ["--enforce-eager"]},
        "modules.json of sentence-transformers has a pooling module",
        "Choose a model",
    ),
    "run-vocab": (
        plain({**models.SMOLLM, "vocab_size": 49088}, vocabulary=49152),
        {"max_model_len": 1024, "max_num_seqs": 8},
        "49152 rows of the embedding, config.json says 49088",
        "",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_vllm_refuses_and_so_does_the_plan(name: str) -> None:
    check_refused(*REFUSED[name])


# Verdict, tokens of context, and a text in one of the plan's reasons.
PLANNED: dict[str, tuple[Files, dict[str, Any], str, int, str]] = {
    "gemma3-1b-t4-auto": (plain(models.GEMMA3_1B), T4, "fits", 32768, "vLLM computes the model in float32 there"),
    "llama70b-bnb4-auto": (
        plain({**models.LLAMA_70B, "quantization_config": models.BNB}, "U8"),
        {},
        "fits",
        131072,
        "1 × NVIDIA_RTX_PRO_6000 a replica",
    ),
    "tok-v5": (models.NEW_TOKENIZER, {}, "uncertain", 131072, "names TokenizersBackend, a class of transformers 5"),
    "qwen25-7b-yarn-args": (
        models.QWEN,
        {"machine_type": "a2-ultragpu-1g", "max_model_len": 131072, "extra_args": [YARN_ARGUMENT]},
        "fits",
        131072,
        "",
    ),
    "qwen25-7b-yarn-config": (
        plain({**models.QWEN_7B, "rope_scaling": models.YARN}),
        {**A100, "max_model_len": 131072},
        "fits",
        131072,
        "room for 2 of 4 requests of 131072 tokens at once",
    ),
    "falcon-7b": (models.FALCON, {}, "uncertain", 2048, "config.json: intermediate_size is not known"),
    "starcoder-a100": (models.STARCODER, {**A100, "max_model_len": 8192}, "uncertain", 8192, "weights 30.1"),
    "starcoder-auto": (models.STARCODER, {"max_model_len": 8192}, "uncertain", 8192, "GPTBigCodeForCausalLM"),
    "devstral": (models.MISTRAL_COMMON, {}, "fits", 131072, " ".join(MISTRAL)),
    "devstral-mode": (models.MISTRAL_COMMON, {"extra_args": MISTRAL}, "uncertain", 131072, " ".join(MISTRAL)),
    "qwen2-vl-7b": (models.QWEN2_VL, {}, "uncertain", 4096, "one picture at its largest takes 16384 tokens"),
    "gemma3-4b-l4": (models.GEMMA3_4B, L4, "uncertain", 4096, "32 GiB of host memory are fewer than 32."),
    "run-think": (
        models.THINKING,
        {"max_model_len": 1024, "max_num_seqs": 8, "extra_args": ["--enforce-eager", "--reasoning-parser=deepseek_r1"]},
        "fits",
        1024,
        "",
    ),
    "arg-kv-fp8": (models.QWEN, arg("--kv-cache-dtype=fp8"), "uncertain", 4096, "keeps an 8-bit cache depends on"),
    "llama4-scout": (models.LLAMA4, {}, "uncertain", 4096, "the cache of layers that attend in chunks is not known"),
}


@pytest.mark.parametrize("name", PLANNED)
def test_vllm_serves_and_the_plan_says_how_sure_it_is(name: str) -> None:
    files, parameters, verdict, length, told = PLANNED[name]
    decided = planned(files, **parameters)
    assert (decided.verdict, decided.max_model_len, decided.chat) == (verdict, length, True), decided.reasons
    assert any(told in reason for reason in decided.reasons.values()), decided.reasons


@pytest.mark.parametrize("name", ["devstral", "devstral-mode"])
def test_a_repository_of_mistral_common_gets_its_formats(name: str) -> None:
    files, parameters, *_ = PLANNED[name]
    assert [text for text in planned(files, **parameters).args if text.endswith("=mistral")] == MISTRAL


def test_a_model_of_the_catalogue_that_a_card_has_no_room_for() -> None:
    """l8-64k-l4"""
    with pytest.raises(PlanError, match=r"one request of 65536 tokens needs 8.00 GiB of cache") as refused:
        plan(LLAMA_8B, machine_type="g2-standard-12", max_model_len=65536)
    assert refused.value.fix.startswith("serving.max_model_len: 23296 would fit")


UNKNOWN = {
    "m-n1s32-t4x4": (
        {"machine_type": "n1-standard-32", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 4},
        "n1-standard-32 is not in the catalogue of machines",
    ),
    "m-nvidia-t4": ({"accelerator_type": "NVIDIA_T4"}, "NVIDIA_T4 is not in the catalogue .* NVIDIA_TESLA_T4"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_machine_that_the_catalogue_lacks_is_told_as_that(name: str) -> None:
    parameters, message = UNKNOWN[name]
    with pytest.raises(VertexVllmError, match=message):
        plan(LLAMA_8B, **parameters)


def test_the_quantised_weights_of_one_card_are_not_split() -> None:
    """llama70b-bnb4-auto"""
    files, parameters, *_ = PLANNED["llama70b-bnb4-auto"]
    assert "--tensor-parallel-size=1" in planned(files, **parameters).args


@pytest.mark.parametrize(("files", "length"), [(models.OMNI, 4096), (models.MAMBA, 2048)], ids=["omni", "mamba"])
def test_a_shape_that_nobody_has_read_is_uncertain_and_no_refusal(files: Files, length: int) -> None:
    decided = planned(files)
    assert (decided.verdict, decided.max_model_len) == ("uncertain", length)


def test_gemmas_vocabulary_is_transformers_default() -> None:
    facts = read(models.GEMMA3_4B)
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
