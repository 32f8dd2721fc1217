"""A model's `config.json` → its facts. Pure, and for any JSON: what cannot be used is a PlanError naming the field."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import yaml

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.rope import rope_of
from vertex_vllm.hub.safetensors import Weights
from vertex_vllm.hub.untrusted import is_count
from vertex_vllm.planning.facts import ModelFacts
from vertex_vllm.planning.transformer import transformer_from_config

# Where a model that takes more than text describes its text model (transformers `get_text_config`; InternVL, DeepSeek).
_TEXT_PARTS = ("text_config", "llm_config", "language_config")
# Any of these says that there is a vision tower: most models; LLaVA's own code; Phi-3-vision; Qwen-VL.
_VISION_PARTS = ("vision_config", "mm_vision_tower", "img_processor", "visual")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HIDDEN_SIZE = ("hidden_size", "n_embd", "d_model")
_HEADS = ("num_attention_heads", "n_head", "n_heads")
_KEY_VALUE_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
# In vLLM's order, `derive_max_model_len_and_key`.
_CONTEXT = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_SAFETENSORS_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


def facts_from_config(
    config: Mapping[str, object],
    *,
    model_id: str,
    commit: str,
    weights: Weights,
    chat_template: bool,
    gated: bool,
) -> ModelFacts:
    """Facts of a model from its parsed config.json and what is known of its weights. Raises PlanError."""
    text = _text_part(config)
    heads = _count(text, _HEADS)
    hidden_size = _count(text, _HIDDEN_SIZE)
    rope = rope_of(text)
    return ModelFacts(
        model_id=model_id,
        commit=commit,
        architecture=_architecture(config),
        dtype=_dtype(config, text, weights),
        quantization=_quantization(config, text),
        parameters=weights.parameters,
        weight_bytes=weights.bytes,
        layers=_count(text, _LAYERS),
        hidden_size=hidden_size,
        attention_heads=heads,
        key_value_heads=_count(text, _KEY_VALUE_HEADS, heads),
        head_size=_count(text, ("head_dim",), hidden_size // heads),
        context_length=rope.context_length(_count(text, _CONTEXT), str(text.get("model_type", ""))),
        vision=any(config.get(part) for part in _VISION_PARTS),
        chat_template=chat_template,
        custom_code=bool(config.get("auto_map")),
        gated=gated,
        source="Hub",
        transformer=transformer_from_config({**config, "text_config": text}),
        groups=weights.groups,
        rope_scaling=str(rope),
    )


def config_dtype(config: Mapping[str, object]) -> str:
    """`dtype` or `torch_dtype` of a config.json, as vLLM reads it; empty where it says nothing usable."""
    for part in (config, _text_part(config)):
        for key in ("dtype", "torch_dtype"):
            name = part.get(key)
            if isinstance(name, str) and name.removeprefix("torch.") in _SAFETENSORS_DTYPES.values():
                return name.removeprefix("torch.")
    return ""


def has_chat_template(tokenizer_config: Mapping[str, object]) -> bool:
    """True when a tokenizer_config.json (or chat_template.json) holds a template, or a list of named ones."""
    return bool(tokenizer_config.get("chat_template"))


def _text_part(config: Mapping[str, object]) -> Mapping[str, object]:
    """The part that describes the text model, with what transformers would fill in."""
    part: Mapping[str, object] = config
    for key in _TEXT_PARTS:
        nested = config.get(key)
        if isinstance(nested, dict):
            part = nested
            break
    return {**_defaults().get(str(part.get("model_type", "")), {}), **part}


def _architecture(config: Mapping[str, object]) -> str:
    names = config.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str) or not names[0].isidentifier():
        raise PlanError(
            "does not name the model's architecture",
            where="config.json: architectures",
            fix="Choose a repository that transformers can load; an adapter alone cannot be served.",
        )
    return names[0]


def _dtype(config: Mapping[str, object], text: Mapping[str, object], weights: Weights) -> str:
    stored = config_dtype(config) or _SAFETENSORS_DTYPES.get(weights.dtype, "float32")
    # vLLM `_resolve_auto_dtype`: float32 is loaded as the first type that the device has, bfloat16 on any since Ampere.
    return "bfloat16" if stored == "float32" else stored


def _quantization(config: Mapping[str, object], text: Mapping[str, object]) -> str:
    for part in (config, text):
        for key in ("quantization_config", "compression_config"):
            section = part.get(key)
            if section is None:
                continue
            method = section.get("quant_method") if isinstance(section, dict) else None
            if not isinstance(method, str) or not method.isprintable():
                raise PlanError("does not say how the weights are quantized", where=f"config.json: {key}.quant_method")
            return method.lower()
    return ""


def _count(part: Mapping[str, object], names: Sequence[str], default: int | None = None) -> int:
    """First of the fields that is there, from 1 on. Raises PlanError that names the field as most configs have it."""
    name = next((name for name in names if part.get(name) is not None), None)
    value = default if name is None else part[name]
    if value is None or not is_count(value) or not isinstance(value, int) or value < 1:
        where = f"config.json: {name or names[0]}"
        raise PlanError("is not there" if value is None else f"is {repr(value)[:80]}, not a count", where=where)
    return value


@cache
def _defaults() -> dict[str, dict[str, object]]:
    rows = yaml.safe_load(files("vertex_vllm.hub").joinpath("config_defaults.yaml").read_text())
    return {row["model_type"]: {key: row[key] for key in row if key not in ("model_type", "source")} for row in rows}
