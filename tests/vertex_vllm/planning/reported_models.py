"""Models that people reported trouble with: the fields of their config.json as published, and the files around them."""

from typing import Any

import pytest

from tests.vertex_vllm.model_repository import MadeFile, decoder, read, repository, small, weights
from tests.vertex_vllm.planning.planned import plan
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.plan import ServingPlan

Files = tuple[MadeFile, ...]


def _config(architecture: str, model_type: str, sizes: tuple[int, ...], **more: Any) -> dict[str, Any]:
    names = (
        *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
        *("vocab_size", "max_position_embeddings"),
    )
    fields: dict[str, Any] = dict(zip(names, sizes, strict=True))
    return {"architectures": [architecture], "model_type": model_type, "torch_dtype": "bfloat16", **fields, **more}


LLAMA_8B = _config("LlamaForCausalLM", "llama", (4096, 14336, 32, 32, 8, 128256, 131072))
LLAMA_1B = _config(
    "LlamaForCausalLM", "llama", (2048, 8192, 16, 32, 8, 128256, 131072), head_dim=64, tie_word_embeddings=True
)
LLAMA_70B = _config("LlamaForCausalLM", "llama", (8192, 28672, 80, 64, 8, 128256, 131072))
QWEN_7B = _config("Qwen2ForCausalLM", "qwen2", (3584, 18944, 28, 28, 4, 152064, 32768))
QWEN3_4B = _config(
    *("Qwen3ForCausalLM", "qwen3", (2560, 9728, 36, 32, 8, 151936, 40960)), head_dim=128, tie_word_embeddings=True
)
GEMMA3_1B = _config(
    *("Gemma3ForCausalLM", "gemma3_text", (1152, 6912, 26, 4, 1, 262144, 32768)),
    **{"head_dim": 256, "sliding_window": 512, "sliding_window_pattern": 6, "tie_word_embeddings": True},
)
DEVSTRAL = _config("MistralForCausalLM", "mistral", (5120, 32768, 40, 32, 8, 131072, 131072), head_dim=128)
SMOLLM = _config("LlamaForCausalLM", "llama", (576, 1536, 30, 9, 3, 49152, 8192), head_dim=64, tie_word_embeddings=True)
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
MODELOPT = {"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]}
BLOCK_FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
ADAPTER = {"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-3.1-8B-Instruct", "r": 64}
ADAPTER_FILES = (
    small("adapter_config.json", ADAPTER),
    weights({"base_model.model.layers.0.q_proj.lora_A.weight": ("F32", (64, 4096))}, "adapter_model.safetensors"),
)
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def plain(config: dict[str, Any], dtype: str = "BF16", **more: Any) -> Files:
    """A repository whose tensors agree with config.json."""
    return repository(config, weights(decoder(config, dtype, **more)))


QWEN = plain(QWEN_7B)
MODELOPT_FILE = small("hf_quant_config.json", {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}})
GPT_OSS = repository(
    {
        **_config("GptOssForCausalLM", "gpt_oss", (2880, 2880, 24, 64, 8, 201088, 131072)),
        **{"head_dim": 64, "num_local_experts": 32, "num_experts_per_tok": 4},
        "quantization_config": {"quant_method": "mxfp4"},
    },
    weights({"model.embed_tokens.weight": ("BF16", (201088, 2880)), "experts.gate_up": ("U8", (12 << 30,))}),
)
FALCON = repository(
    {
        **{"architectures": ["FalconForCausalLM"], "model_type": "falcon", "torch_dtype": "bfloat16"},
        **{"hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32, "vocab_size": 65024},
        **{"multi_query": True, "new_decoder_architecture": False},
    },
    weights({"transformer.word_embeddings.weight": ("BF16", (65024, 4544)), "transformer.h.0.x": ("BF16", (6 << 30,))}),
)
STARCODER = repository(
    {
        **{"architectures": ["GPTBigCodeForCausalLM"], "model_type": "gpt_bigcode", "torch_dtype": "float32"},
        **{"n_embd": 6144, "n_head": 48, "n_inner": 24576, "n_layer": 40, "n_positions": 8192, "vocab_size": 49152},
        "multi_query": True,
    },
    weights({"transformer.wte.weight": ("F32", (49152, 6144)), "transformer.h.0.x": ("F32", (15_515_000_000,))}),
)
QWEN2_VL = repository(
    {
        **_config("Qwen2VLForConditionalGeneration", "qwen2_vl", (3584, 18944, 28, 28, 4, 152064, 32768)),
        "vision_config": {"depth": 32, "embed_dim": 1280, "patch_size": 14},
    },
    weights({**decoder(QWEN_7B), "visual.x.weight": ("BF16", (676_000, 1000))}),
)
# Its config.json leaves out what transformers fills in.
_GEMMA_TEXT = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}
GEMMA3_4B = repository(
    {
        **{"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "torch_dtype": "bfloat16"},
        **{"text_config": _GEMMA_TEXT, "vision_config": {}},
    },
    weights(
        decoder(
            {
                **{**_GEMMA_TEXT, "num_attention_heads": 8, "num_key_value_heads": 4},
                **{"head_dim": 256, "vocab_size": 262208},
            }
        )
    ),
)
LLAMA4 = repository(
    {
        **{"architectures": ["Llama4ForConditionalGeneration"], "model_type": "llama4", "torch_dtype": "bfloat16"},
        "text_config": {
            **_config("", "llama4_text", (5120, 8192, 48, 40, 8, 202048, 10485760)),
            **{"head_dim": 128, "num_local_experts": 16, "num_experts_per_tok": 1, "attention_chunk_size": 8192},
        },
        "vision_config": {"hidden_size": 1408, "image_size": 336, "patch_size": 14},
    },
    weights({"language_model.model.embed_tokens.weight": ("BF16", (202048, 5120)), "experts": ("BF16", (107 << 30,))}),
)
THINKING = repository(
    SMOLLM,
    weights(decoder(SMOLLM)),
    small("tokenizer_config.json", {"chat_template": "{{ messages }}<think>{{ '</think>' }}"}),
)
OMNI = repository(
    {
        **{"architectures": ["Qwen2_5OmniModel"], "model_type": "qwen2_5_omni", "torch_dtype": "bfloat16"},
        "thinker_config": {
            "model_type": "qwen2_5_omni_thinker",
            "text_config": _config("", "qwen2_5_omni_text", (3584, 18944, 28, 28, 4, 152064, 32768)),
            "vision_config": {"hidden_size": 1280, "patch_size": 14},
        },
    },
    weights({"thinker.model.embed_tokens.weight": ("BF16", (152064, 3584))}),
)
MAMBA = repository(
    {
        **{"architectures": ["FalconMambaForCausalLM"], "model_type": "falcon_mamba", "torch_dtype": "bfloat16"},
        **{"hidden_size": 4096, "num_hidden_layers": 64, "state_size": 16, "vocab_size": 65024},
    },
    weights({"backbone.embeddings.weight": ("BF16", (65024, 4096))}),
)
MISTRAL_COMMON = repository(
    DEVSTRAL,
    weights(decoder(DEVSTRAL), "consolidated.safetensors"),
    *(small(path, {}) for path in ("params.json", "tekken.json")),
    tokenizer=False,
)
NEW_TOKENIZER = repository(
    LLAMA_1B,
    weights(decoder(LLAMA_1B)),
    small("tokenizer_config.json", {"tokenizer_class": "TokenizersBackend", "chat_template": "{{ messages }}"}),
)
EMBEDDING = repository(QWEN3_4B, weights(decoder(QWEN3_4B, prefix="")), small("modules.json", MODULES))


def planned(files: Files, **parameters: Any) -> ServingPlan:
    """The plan for a repository of these files."""
    return plan(read(files), **parameters)


def check_refused(files: Files, parameters: dict[str, Any], message: str, fix: str) -> None:
    """The plan is refused with that message, and that remedy."""
    with pytest.raises(PlanError) as refused:
        planned(files, **parameters)
    assert message in refused.value.message
    assert fix in refused.value.fix or fix in str(refused.value)
