"""Repositories whose files contradict their config.json, or that vLLM cannot read."""

from typing import Any

import pytest

from tests.vertex_vllm.model_repository import MadeFile, Tensors, decoder, read, repository, small, weights
from tests.vertex_vllm.planning import reported_models as models
from tests.vertex_vllm.planning.reported_models import Files, check_refused, plain, planned
from vertex_vllm.errors import PlanError

LLAMA = models.LLAMA_1B
TENSORS = decoder(LLAMA)
A100, T4 = {"machine_type": "a2-highgpu-1g"}, {"machine_type": "n1-standard-8"}
MLX = {"group_size": 64, "bits": 4}


def without(name: str) -> Tensors:
    return {key: tensor for key, tensor in TENSORS.items() if key != name}


def other(name: str) -> Files:
    return repository(LLAMA, MadeFile(name, 1000, b""))


REFUSED: list[tuple[Files, dict[str, Any], str, str]] = [
    (repository(None, small("checkpoint-100/adapter_config.json", {})), {}, "adapters in folders alone", "base model"),
    (repository(None, small("last/config.json", LLAMA)), {}, "a model in folders alone, the first in last/", "Put"),
    (
        repository(None, small("modules.json", []), small("0_Transformer/config.json", {})),
        {},
        "a model of sentence-transformers in folders",
        "Choose a model that generates text",
    ),
    (
        repository(None, small("m.gguf", b"GGUF"), small("original/config.json", {})),
        {},
        "GGUF files alone",
        "its card names it",
    ),
    (repository({**LLAMA, "quantization": MLX}, weights(TENSORS)), {}, "weights that MLX has quantised", "its card"),
    (other("model.onnx"), {}, "no weights that vLLM reads, but others: ONNX", "safetensors"),
    (other("tf_model.h5"), {}, "others: TensorFlow", ""),
    (other("flax_model.msgpack"), {}, "others: Flax", ""),
    (other("openvino_model.bin"), {}, "others: OpenVINO", ""),
    (repository(None, MadeFile("model.nemo", 1000, b"")), {}, "it holds NeMo", ""),
    # "Following weights were not initialized from checkpoint".
    (
        repository(LLAMA, weights(without("model.layers.3.mlp.up_proj.weight"))),
        {},
        "a tensor is missing: layer 3 has no mlp.up_proj.weight",
        "another revision",
    ),
    (
        repository(LLAMA, weights({f"_orig_mod.{name}": tensor for name, tensor in TENSORS.items()})),
        {},
        "a name that vLLM does not know, as a trainer leaves it: '_orig_mod.model.embed_tokens.weight'",
        "another revision",
    ),
    (
        repository(LLAMA, weights({**TENSORS, "model.layers.0.self_attn.q_proj.lora_A.weight": ("BF16", (8, 2048))})),
        {},
        "as a trainer leaves it: 'model.layers.0.self_attn.q_proj.lora_A.weight'",
        "another revision",
    ),
    (
        repository({**LLAMA, "tie_word_embeddings": False}, weights(TENSORS)),
        {},
        "the files have no head (lm_head), and config.json does not tie it",
        "another revision",
    ),
    (
        repository({**LLAMA, "num_hidden_layers": 15}, weights(TENSORS)),
        {},
        "the files have 16 layers, config.json says 15",
        "",
    ),
    # "Found conflicts between 'rope_type=…' and 'type=…'".
    (
        plain({**LLAMA, "rope_scaling": {"rope_type": "linear", "type": "dynamic", "factor": 2.0}}),
        {},
        "rope_scaling has rope_type 'linear' and type 'dynamic'",
        "",
    ),
    # Options that name files which the repository does not have.
    (
        models.QWEN,
        {"extra_args": ["--tokenizer-mode=mistral"]},
        "no tekken.json, no tokenizer.model.v*",
        "Leave it out",
    ),
    (models.QWEN, {"extra_args": ["--config-format=mistral"]}, "no params.json", "Leave it out"),
    (models.QWEN, {"extra_args": ["--load-format=mistral"]}, "no consolidated*.safetensors", "Leave it out"),
    (models.QWEN, {"extra_args": ["--load-format=pt"]}, "other files than the safetensors weights", "Leave it out"),
    (models.QWEN, {"extra_args": ["--load-format=gguf"]}, "reads a GGUF file", "Leave it out"),
    # Options with which Vertex AI could not reach the container.
    (models.QWEN, {"extra_args": ["--ssl-certfile=/x.pem"]}, "over plain HTTP", "Leave it out"),
    (models.QWEN, {"extra_args": ["--headless"]}, "Vertex AI asks the container over HTTP", "Leave it out"),
    # Options that the parser takes, and the engine's set-up refuses.
    (
        models.QWEN,
        {"extra_args": ["--lora-modules=sql=/mnt/sql"]},
        "needs --enable-lora beside it",
        "Add --enable-lora",
    ),
    (
        models.QWEN,
        {"extra_args": ["--enable-lora", "--max-loras=4", "--max-cpu-loras=2"]},
        "--max-cpu-loras=2 is less than --max-loras=4",
        "Write --max-cpu-loras=4",
    ),
    (
        models.QWEN,
        {"extra_args": ['--speculative-config={"method": "ngram"}']},
        "has no num_speculative_tokens",
        "Add",
    ),
    (
        models.QWEN,
        {"extra_args": ["--speculative-config.num_speculative_tokens=5"]},
        "neither model nor method",
        "ngram",
    ),
    (models.QWEN, {"extra_args": ["--quantization=foo"]}, "knows no quantisation method foo", ""),
    # Without its window a model's context ends at the window's length.
    (
        plain({**LLAMA, "architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 4096}),
        {"max_model_len": 8192, "extra_args": ["--disable-sliding-window"]},
        "takes at most 4096 tokens, not 8192",
        "",
    ),
]


@pytest.mark.parametrize(
    ("files", "parameters", "message", "fix"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_vllm_refuses_and_so_does_the_plan(files: Files, parameters: dict[str, Any], message: str, fix: str) -> None:
    check_refused(files, parameters, message, fix)


def test_pickled_weights_are_not_read_as_safetensors() -> None:
    files = repository(LLAMA, MadeFile("pytorch_model.bin", 2_500_000_000, b""))
    with pytest.raises(PlanError, match="--load-format=safetensors reads other files than the pickled weights"):
        planned(files, pickled_weights="scanned", extra_args=["--load-format=safetensors"])


@pytest.mark.parametrize("value", ["8", [8] * 16, 0, -1])
def test_a_contradiction_with_a_field_that_nobody_can_read_is_a_doubt(value: object) -> None:
    decided = planned(repository({**LLAMA, "num_key_value_heads": value}, weights(TENSORS)), **A100)
    assert decided.verdict == "uncertain"
    assert "config.json: num_key_value_heads is not known" in decided.reasons["memory"]


def test_a_tensor_that_two_files_hold_counts_once() -> None:
    twice = repository(LLAMA, weights(TENSORS), weights(TENSORS, "model-copy.safetensors"))
    assert read(twice).weight_bytes == read(plain(LLAMA)).weight_bytes


def test_a_stretch_of_each_kind_of_layer_is_read() -> None:
    parts = {"full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": {"rope_type": "default"}}
    facts = read(plain({**LLAMA, "max_position_embeddings": 4096, "rope_parameters": parts}))
    assert (facts.rope_scaling, facts.context_length) == ("linear × 8", 32768)


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, []),
        ({}, ['--hf-overrides={"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}']),
        ({}, ['--rope-scaling={"type": "yarn", "factor": 4.0}']),
    ],
    ids=["config.json", "--hf-overrides", "--rope-scaling"],
)
def test_yarn_without_its_original_length_is_a_doubt(config: dict[str, Any], arguments: list[str]) -> None:
    decided = planned(plain({**models.QWEN_7B, **config}), **A100, extra_args=arguments)
    assert "yarn without original_max_position_embeddings" in decided.reasons["doubts"]


def test_a_stretch_without_a_kind_is_a_doubt() -> None:
    decided = planned(plain({**LLAMA, "rope_scaling": {"factor": 8.0}}), **A100)
    assert decided.reasons["doubts"] == "config.json: rope_scaling has no rope_type, and vLLM may refuse that"


def test_weights_of_another_repository_are_a_doubt() -> None:
    facts = read(plain({**LLAMA, "audio_model_id": "acme/ears", "text_model_id": None}))
    assert facts.doubts == ("config.json takes weights from another repository, acme/ears (audio_model_id)",)


def test_a_picture_of_pixtral_is_larger_than_the_usual_context() -> None:
    tower = {"model_type": "pixtral", "hidden_size": 1024, "image_size": 1024, "patch_size": 16}
    config = {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "torch_dtype": "bfloat16"}
    decided = planned(repository({**config, "text_config": LLAMA, "vision_config": tower}, weights(TENSORS)))
    assert "one picture at its largest takes 4097 tokens, more than that" in decided.reasons["max_model_len"]


def test_latent_attention_on_a_card_without_flash_attention_is_a_doubt() -> None:
    config = {**LLAMA, "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "kv_lora_rank": 512}
    decided = planned(repository(config, weights({"model.embed_tokens.weight": ("BF16", (128256, 2048))})), **T4)
    assert "FlashAttention, which needs 8.0" in decided.reasons["machine_type"]
    assert decided.verdict == "uncertain"


def test_text_of_a_repository_reaches_no_terminal_as_it_is() -> None:
    with pytest.raises(PlanError) as refused:
        planned(plain({**LLAMA, "rope_scaling": {"rope_type": "\x1b[31m", "type": "dynamic"}}))
    assert refused.value.message.isprintable()
