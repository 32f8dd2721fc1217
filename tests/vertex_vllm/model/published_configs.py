"""config.json of published models, with the facts that must be read from each."""

COMMIT = "0123456789abcdef0123456789abcdef01234567"

LLAMA_31_8B = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "eos_token_id": [128001, 128008, 128009],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rope_scaling": {"factor": 8.0, "rope_type": "llama3", "original_max_position_embeddings": 8192},
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
LLAMA_32_11B_VISION = {
    "architectures": ["MllamaForConditionalGeneration"],
    "image_token_index": 128256,
    "model_type": "mllama",
    "text_config": {
        "architectures": None,
        "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38],
        "hidden_size": 4096,
        "max_position_embeddings": 131072,
        "model_type": "mllama_text_model",
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
        "torch_dtype": "bfloat16",
    },
    "torch_dtype": "bfloat16",
    "vision_config": {"attention_heads": 16, "hidden_size": 1280, "image_size": 560, "num_hidden_layers": 32},
}
SMOLLM2_135M = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 576,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
IDEFICS3_8B = {
    "architectures": ["Idefics3ForConditionalGeneration"],
    "model_type": "idefics3",
    "scale_factor": 2,
    "text_config": {
        "architectures": ["VLlama3ForCausalLM"],
        "hidden_size": 4096,
        "max_position_embeddings": 131072,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "torch_dtype": "bfloat16",
    },
    "torch_dtype": "bfloat16",
    "vision_config": {"hidden_size": 1152, "image_size": 364, "num_hidden_layers": 27},
}
QWEN25_7B = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 3584,
    "max_position_embeddings": 32768,
    "model_type": "qwen2",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "torch_dtype": "bfloat16",
}
QWEN2_VL_7B = {**QWEN25_7B, "architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl"} | {
    "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "patch_size": 14}
}
MIXTRAL_8X7B = {
    "architectures": ["MixtralForCausalLM"],
    "hidden_size": 4096,
    "max_position_embeddings": 32768,
    "model_type": "mixtral",
    "num_attention_heads": 32,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "torch_dtype": "bfloat16",
}
LLAMA_GPTQ = {
    **LLAMA_31_8B,
    "torch_dtype": "float16",
    "quantization_config": {"bits": 4, "group_size": 128, "quant_method": "gptq", "sym": True},
}
LLAMA_FP8 = {
    **LLAMA_31_8B,
    "quantization_config": {"activation_scale_ub": 1200.0, "quant_method": "fbgemm_fp8"},
}
GEMMA_3_4B = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    },
    "torch_dtype": "bfloat16",
    "vision_config": {"hidden_size": 1152, "image_size": 896, "model_type": "siglip_vision_model"},
}
LLAVA_15_7B = {
    "architectures": ["LlavaForConditionalGeneration"],
    "model_type": "llava",
    "text_config": {
        "_name_or_path": "lmsys/vicuna-7b-v1.5",
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "rms_norm_eps": 1e-05,
        "torch_dtype": "float16",
        "vocab_size": 32064,
    },
    "torch_dtype": "float16",
    "vision_config": {"hidden_size": 1024, "image_size": 336, "model_type": "clip_vision_model"},
}
PIXTRAL_12B = {
    "architectures": ["LlavaForConditionalGeneration"],
    "model_type": "llava",
    "text_config": {
        "head_dim": 128,
        "hidden_size": 5120,
        "intermediate_size": 14336,
        "is_composition": True,
        "max_position_embeddings": 1024000,
        "model_type": "mistral",
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
    },
    "torch_dtype": "bfloat16",
    "vision_config": {"head_dim": 64, "hidden_size": 1024, "image_size": 1024, "model_type": "pixtral"},
}
GPT2_XL = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 1600,
    "n_head": 25,
    "n_layer": 48,
    "n_positions": 1024,
}
CUSTOM_CODE = {
    **QWEN25_7B,
    "architectures": ["BaiChuanForCausalLM"],
    "model_type": "baichuan",
    "auto_map": {"AutoConfig": "configuration_baichuan.BaiChuanConfig"},
}

# config, architecture, dtype, quantization, layers, hidden size, heads, key-value heads, head size, context, vision
PUBLISHED = [
    (LLAMA_31_8B, "LlamaForCausalLM", "bfloat16", "", 32, 4096, 32, 8, 128, 131072, False),
    (LLAMA_32_11B_VISION, "MllamaForConditionalGeneration", "bfloat16", "", 40, 4096, 32, 8, 128, 131072, True),
    (SMOLLM2_135M, "LlamaForCausalLM", "bfloat16", "", 30, 576, 9, 3, 64, 8192, False),
    (IDEFICS3_8B, "Idefics3ForConditionalGeneration", "bfloat16", "", 32, 4096, 32, 8, 128, 131072, True),
    (QWEN25_7B, "Qwen2ForCausalLM", "bfloat16", "", 28, 3584, 28, 4, 128, 32768, False),
    (QWEN2_VL_7B, "Qwen2VLForConditionalGeneration", "bfloat16", "", 28, 3584, 28, 4, 128, 32768, True),
    (MIXTRAL_8X7B, "MixtralForCausalLM", "bfloat16", "", 32, 4096, 32, 8, 128, 32768, False),
    (LLAMA_GPTQ, "LlamaForCausalLM", "float16", "gptq", 32, 4096, 32, 8, 128, 131072, False),
    (LLAMA_FP8, "LlamaForCausalLM", "bfloat16", "fbgemm_fp8", 32, 4096, 32, 8, 128, 131072, False),
    # The text part leaves out what transformers fills in.
    (GEMMA_3_4B, "Gemma3ForConditionalGeneration", "bfloat16", "", 34, 2560, 8, 4, 256, 131072, True),
    (LLAVA_15_7B, "LlavaForConditionalGeneration", "float16", "", 32, 4096, 32, 32, 128, 4096, True),
    (PIXTRAL_12B, "LlavaForConditionalGeneration", "bfloat16", "", 40, 5120, 32, 8, 128, 1024000, True),
    # Other field names, and no dtype: the weights have it.
    (GPT2_XL, "GPT2LMHeadModel", "bfloat16", "", 48, 1600, 25, 25, 64, 1024, False),
]
# Forms of config.json for models that stretch their positions.
ROPE = {"LlamaForCausalLM": "llama3 × 8", "Gemma3ForConditionalGeneration": "linear × 8"}
