"""The sizes of a transformer that its memory depends on, from any `config.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# Where a model that takes more than text keeps its text model's fields.
TEXT_PARTS = ("text_config", "llm_config", "language_config")
# Where a model that speaks as well keeps the part that reads and writes text (Qwen's Omni models).
_THINKER = "thinker_config"
# Any of these says that there is a vision tower: most models; LLaVA's own code; Phi-3-vision; Qwen-VL.
_VISION_PARTS = ("vision_config", "mm_vision_tower", "img_processor", "visual")
_REQUIRED = {
    "vocabulary": ("vocab_size",),
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "attention_heads": ("num_attention_heads", "n_head", "n_heads"),
}
# Keys of the context's length in vLLM's order (`derive_max_model_len_and_key`); the smallest counts.
CONTEXT = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_target_positions", "max_sequence_length", "max_seq_length", "seq_len"),
)
_KEY_VALUE_HEADS = ("n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num")
# Families that say with a switch of their own that they have new heads (`get_total_num_kv_heads`).
_FALCON = ("falcon", "RefinedWeb", "RefinedWebModel")
# Kinds of attention in `layer_types` whose cache is modelled; others keep a state, chunks or a part of the context.
_MODELLED_LAYERS = {"full_attention", "sliding_attention"}
_EXPERTS = ("num_experts", "n_routed_experts", "num_local_experts")


@dataclass(frozen=True)
class Transformer:
    """Counts and widths; 0 where the model has no such part."""

    architecture: str
    vocabulary: int
    hidden_size: int
    intermediate_size: int
    layers: int
    """All decoder layers, those with cross attention included."""
    attention_heads: int
    key_value_heads: int
    head_size: int
    context_length: int
    """`max_position_embeddings`: vLLM keeps a table of rotary angles of this length."""
    tied_embeddings: bool
    """The head uses the embedding's table."""
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate_size: int = 0
    shared_expert_intermediate_size: int = 0
    dense_layers: int = 0
    """Leading layers without experts, in a model with experts."""
    latent_size: int = 0
    """`kv_lora_rank` of multi-head latent attention; 0: keys and values themselves are cached."""
    query_latent_size: int = 0
    rope_head_size: int = 0
    nope_head_size: int = 0
    value_head_size: int = 0
    sliding_window: int = 0
    sliding_layers: int = 0
    cross_attention_layers: int = 0
    image_tokens: int = 0
    """Tokens of the vision tower for one image at its largest; 0: takes none, or not known."""
    image_width: int = 0
    """Hidden size of the vision tower."""
    vision: bool = False
    weight_group: int = 0
    """Quantised weights that share a scale, in a row: they are split at its multiples alone; 0: none, or not known."""
    missing: tuple[str, ...] = field(default=())
    """Fields that config.json should have and has not, or whose meaning for this architecture is not known."""


@dataclass(frozen=True)
class ArchitectureDefaults:
    """Properties of an architecture's code that its config.json does not say."""

    gated: bool
    """The feed-forward part has three matrices (gate, up, down) instead of two."""
    tied: bool
    """Default of `tie_word_embeddings`."""
    sliding_pattern: int
    """Every n-th layer sees the whole context and the others a window; 1: every layer a window; 0: none."""
    expert_defaults: Mapping[str, int]
    """Default of fields that published configs of the family may leave out."""
    extra_embeddings: int = 0
    """Rows of the embedding beyond `vocab_size`."""


def defaults_of(architecture: str) -> ArchitectureDefaults | None:
    """None for an architecture that this project does not know."""
    return _by_architecture().get(architecture)


@cache
def _by_architecture() -> dict[str, ArchitectureDefaults]:
    return {
        row["architecture"]: ArchitectureDefaults(
            row.get("gated", True),
            row.get("tied", False),
            row.get("sliding_pattern", 0),
            row.get("defaults", {}),
            row.get("extra_embeddings", 0),
        )
        for row in _table("architecture_defaults")
    }


@cache
def _by_model_type() -> dict[str, dict[str, object]]:
    rows = _table("config_defaults")
    return {row["model_type"]: {key: row[key] for key in row if key not in ("model_type", "source")} for row in rows}


def _table(name: str) -> list[dict[str, Any]]:
    text = files("vertex_vllm.model").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return rows


def text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config.json that describes the text model, with what transformers would fill in."""
    inner = _inner(config)
    part = next((inner[name] for name in TEXT_PARTS if isinstance(inner.get(name), dict)), inner)
    return {**_by_model_type().get(str(part.get("model_type", "")), {}), **part}


def _inner(config: Mapping[str, Any]) -> Mapping[str, Any]:
    thinker = config.get(_THINKER)
    return thinker if isinstance(thinker, dict) else config


def transformer_from_config(config: Mapping[str, Any]) -> Transformer:
    """The sizes. Never raises: `missing` names the fields that are absent or not a count."""
    config = {**config, **_inner(config)}
    names = config.get("architectures")
    architecture = str(names[0]) if isinstance(names, list) and names else ""
    code = defaults_of(architecture)
    text = text_part(config)
    defaulted = {**(code.expert_defaults if code else {}), **{k: v for k, v in text.items() if v is not None}}
    found: dict[str, Any] = {name: _count(defaulted, keys) for name, keys in _REQUIRED.items()}
    missing = [f"config.json: {keys[0]}" for name, keys in _REQUIRED.items() if not found[name]]
    missing += _unusable(text)
    heads, hidden = found["attention_heads"], found["hidden_size"]
    intermediate = _count(defaulted, ("intermediate_size", "n_inner", "ffn_dim"))
    experts = _count(defaulted, _EXPERTS)
    expert_width = _count(defaulted, ("moe_intermediate_size",)) or (intermediate if experts else 0)
    if not intermediate and not expert_width:
        missing.append("config.json: intermediate_size")
    head_size = _count(defaulted, ("head_dim",)) or (hidden // heads if heads else 0)
    if not head_size:
        missing.append("config.json: head_dim")
    missing += _unmodelled_layers(text)
    latent = _count(defaulted, ("kv_lora_rank",))
    layers = found["layers"]
    sliding, window = _sliding(defaulted, layers, code)
    return Transformer(
        architecture=architecture,
        **found,
        context_length=context_length(defaulted),
        intermediate_size=intermediate,
        key_value_heads=key_value_heads(defaulted, heads),
        head_size=head_size,
        tied_embeddings=_switch(defaulted, config, "tie_word_embeddings", code.tied if code else False),
        experts=experts,
        experts_per_token=_count(defaulted, ("num_experts_per_tok", "num_experts_per_token")),
        expert_intermediate_size=expert_width,
        shared_expert_intermediate_size=_count(defaulted, ("shared_expert_intermediate_size",))
        or _count(defaulted, ("n_shared_experts",)) * expert_width,
        dense_layers=_count(defaulted, ("first_k_dense_replace",)) if experts else 0,
        latent_size=latent,
        query_latent_size=_count(defaulted, ("q_lora_rank",)) if latent else 0,
        rope_head_size=_count(defaulted, ("qk_rope_head_dim",)) if latent else 0,
        nope_head_size=_count(defaulted, ("qk_nope_head_dim",)) if latent else 0,
        value_head_size=_count(defaulted, ("v_head_dim",)) if latent else 0,
        sliding_window=window,
        sliding_layers=sliding,
        cross_attention_layers=_cross_attention_layers(defaulted),
        **_vision(config),
        weight_group=_weight_group(config),
        missing=tuple(missing),
    )


def context_length(text: Mapping[str, Any]) -> int:
    """Tokens, before positions are stretched: Cohere's own field, else the smallest of the fields; 0: no field."""
    if own := _count(text, ("model_max_length",)):
        return own
    return min((length for name in CONTEXT if (length := _count(text, (name,)))), default=0)


def key_value_heads(text: Mapping[str, Any], heads: int) -> int:
    """As vLLM counts them (`get_total_num_kv_heads`): null and no field mean as many as there are heads."""
    new_falcon = text.get("model_type") in _FALCON and text.get("new_decoder_architecture") is True
    if text.get("multi_query") is True and not new_falcon:
        return 1
    inner = text.get("attn_config")
    if isinstance(inner, dict) and (shared := _count(inner, ("kv_n_heads",))):
        return shared
    return _count(text, _KEY_VALUE_HEADS) or heads


def _unusable(text: Mapping[str, Any]) -> list[str]:
    """Names of the fields that are present and not a count; null means the default of the model type."""
    names = [name for keys in _REQUIRED.values() for name in keys[1:]]
    names += [*CONTEXT, *_KEY_VALUE_HEADS, "head_dim", "intermediate_size"]
    return [f"config.json: {name}" for name in names if text.get(name) is not None and not _count(text, (name,))]


def _weight_group(config: Mapping[str, Any]) -> int:
    quantization = config.get("quantization_config")
    if not isinstance(quantization, dict):
        return 0
    block = quantization.get("weight_block_size")
    groups = quantization.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        # compressed-tensors: each group of layers has weights with a strategy of their own.
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            block, quantization = block or weights.get("block_structure"), {**weights, **quantization}
    if isinstance(block, list) and block:
        return _count({"size": block[0]}, ("size",))
    return _count(quantization, ("group_size", "q_group_size"))


def _unmodelled_layers(text: Mapping[str, Any]) -> list[str]:
    """Kinds of layers whose cache is not modelled, each worded as an unknown."""
    kinds = text.get("layer_types")
    others = {str(kind) for kind in kinds} - _MODELLED_LAYERS if isinstance(kinds, list) else set()
    found = [f"the cache of {kind} layers" for kind in sorted(others)]
    if _count(text, ("attention_chunk_size",)):
        found.append("the cache of layers that attend in chunks")
    return found


def _sliding(text: Mapping[str, Any], layers: int, code: ArchitectureDefaults | None) -> tuple[int, int]:
    """Layers that see a window alone, and its length in tokens."""
    window = _count(text, ("sliding_window",))
    if not window or text.get("use_sliding_window") is False:
        return 0, 0
    kinds = text.get("layer_types")
    if isinstance(kinds, list):
        return sum(kind == "sliding_attention" for kind in kinds), window
    pattern = _count(text, ("sliding_window_pattern",)) or (code.sliding_pattern if code else 0)
    if pattern == 0:
        return 0, 0
    return (layers if pattern == 1 else layers - layers // pattern), window


def _cross_attention_layers(text: Mapping[str, Any]) -> int:
    layers = text.get("cross_attention_layers")
    return len(layers) if isinstance(layers, list) else 0


def _vision(config: Mapping[str, Any]) -> dict[str, Any]:
    tower = config.get("vision_config")
    if not isinstance(tower, dict):
        return {"vision": any(config.get(part) for part in _VISION_PARTS)}
    side, patch = _count(tower, ("image_size",)), _count(tower, ("patch_size",))
    tokens = ((side // patch) ** 2 + 1) * (_count(tower, ("max_num_tiles",)) or 1) if patch else 0
    return {"vision": bool(tower), "image_tokens": tokens, "image_width": _count(tower, ("hidden_size",))}


def _count(part: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first of the fields with a possible count; 0: none."""
    for name in names:
        value = part.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32:
            return value
    return 0


def _switch(text: Mapping[str, Any], config: Mapping[str, Any], name: str, default: bool) -> bool:
    for part in (text, config):
        if isinstance(part.get(name), bool):
            return bool(part[name])
    return default
