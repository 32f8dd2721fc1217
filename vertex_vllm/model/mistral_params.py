"""params.json of a mistral-common repository as a config.json, as vLLM's mistral config format reads it."""

from collections.abc import Mapping

FILE = "params.json"
# vLLM `_remap_general_mistral_args` (transformers_utils/configs/mistral.py of the wheel vllm 0.32.0).
_NAMES = {
    "dim": "hidden_size",
    "norm_eps": "rms_norm_eps",
    "n_kv_heads": "num_key_value_heads",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "tied_embeddings": "tie_word_embeddings",
    "activation": "hidden_act",
}
_UNTOLD_LENGTH = 128_000
# `_remap_mistral_yarn_args`.
_YARN = ("factor", "original_max_position_embeddings")


def config_from_params(params: Mapping[str, object]) -> dict[str, object]:
    """The fields of a config.json, with the class that vLLM chooses by them."""
    text: dict[str, object] = {_NAMES.get(name, name): value for name, value in params.items()}
    text.setdefault("max_position_embeddings", _UNTOLD_LENGTH)
    text["model_type"] = "mixtral" if params.get("moe") else "mistral"
    text["architectures"] = [_architecture(params)]
    yarn = params.get("yarn")
    if isinstance(yarn, Mapping):
        text["rope_parameters"] = {"rope_type": "yarn", **{name: yarn[name] for name in _YARN if name in yarn}}
    quantization = params.get("quantization")
    if isinstance(quantization, Mapping):
        text["quantization_config"] = _quantization(quantization)
    moe = params.get("moe")
    if isinstance(moe, Mapping):
        text |= {"num_local_experts": moe.get("num_experts"), "num_experts_per_tok": moe.get("num_experts_per_tok")}
    part, whole = _other_part(params)
    if not part:
        return text
    inner = {name: value for name, value in text.items() if name not in ("multimodal", "vision_encoder")}
    # Quantisation applies to the whole model, as in a config.json.
    outer = {name: inner.pop(name) for name in ("quantization_config",) if name in inner}
    return {"architectures": [whole], "model_type": part.removesuffix("_config"), "text_config": inner, **outer} | {
        part: {"model_type": "pixtral"} if part == "vision_config" else {"model_type": "whisper"}
    }


def _architecture(params: Mapping[str, object]) -> str:
    moe = params.get("moe")
    if isinstance(moe, Mapping):
        return "MistralLarge3ForCausalLM" if moe.get("num_shared_experts") else "MixtralForCausalLM"
    return "MistralForCausalLM"


def _other_part(params: Mapping[str, object]) -> tuple[str, str]:
    """`vision_config` or `audio_config`, and the class of the whole model; empty for a model of text alone."""
    multimodal = params.get("multimodal")
    inner = multimodal if isinstance(multimodal, Mapping) else {}
    if params.get("vision_encoder") or inner.get("vision_encoder_args"):
        return "vision_config", "PixtralForConditionalGeneration"
    if inner.get("whisper_model_args"):
        return "audio_config", "VoxtralForConditionalGeneration"
    return "", ""


def _quantization(told: Mapping[str, object]) -> dict[str, object]:
    """`_remap_mistral_quantization_args`; an unknown one keeps its name, so that it is a doubt."""
    if told.get("qformat_weight") == "fp8_e4m3":
        return {"quant_method": "fp8", "activation_scheme": "static"}
    return {**told, "quant_method": str(told.get("quant_method") or told.get("qformat_weight") or "")}
