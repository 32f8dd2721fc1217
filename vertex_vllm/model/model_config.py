"""Facts of a model from its config.json. A field that cannot be read is named, not refused."""

from collections.abc import Mapping
from dataclasses import replace

from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.quantization import Quantized, quantization_of
from vertex_vllm.model.rope import rope_faults, rope_of
from vertex_vllm.model.safetensors import Weights
from vertex_vllm.model.tensor_outline import contradictions
from vertex_vllm.model.transformer import defaults_of, text_part, transformer_from_config

_SAFETENSORS_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


def facts_from_config(
    config: Mapping[str, object],
    *,
    model_id: str,
    commit: str,
    weights: Weights,
    chat_template: bool,
    gated: bool,
    modelopt: Mapping[str, object] | None = None,
    flagged: Mapping[str, object] | None = None,
) -> ModelFacts:
    """Facts of a model from its parsed config.json and what is known of its weights.

    `modelopt` and `flagged` are hf_quant_config.json and quantize_config.json, where the repository has them. A count
    of 0 is not known, and `shape.missing` names its field. Raises PlanError where no architecture is named.
    """
    architecture = _architecture(config)
    text = text_part(config)
    shape = transformer_from_config(config)
    rope = rope_of(text)
    kind = str(text.get("model_type", ""))
    quantized, doubts = _quantized(config, text, modelopt, flagged)
    # An unknown architecture or an unreadable field makes every verdict uncertain.
    known = defaults_of(architecture) is not None and not shape.missing
    against = tuple(contradictions(weights.outline, shape, bool(quantized.method)))
    stretched = tuple(rope_faults(text))
    return ModelFacts(
        model_id=model_id,
        commit=commit,
        dtype=_dtype(config, text, weights),
        quantization=quantized.method,
        parameters=weights.parameters,
        weight_bytes=weights.bytes,
        shape=replace(shape, context_length=rope.context_length(shape.context_length, kind)),
        chat_template=chat_template,
        custom_code=bool(config.get("auto_map")),
        gated=gated,
        source="Hub",
        groups=weights.groups,
        rope_scaling=str(rope),
        model_type=str(config.get("model_type", "")),
        text_model_type=kind,
        positions=shape.context_length,
        quantization_scheme=quantized.scheme,
        quantization_file=quantized.file,
        faults=(*(against if known else ()), *(told for told, certain in stretched if certain)),
        doubts=(*doubts, *(() if known else against), *(told for told, certain in stretched if not certain)),
    )


def config_dtype(config: Mapping[str, object]) -> str:
    """`dtype` or `torch_dtype` of a config.json, as vLLM reads it; empty where it says nothing usable."""
    for part in (config, text_part(config)):
        for key in ("dtype", "torch_dtype"):
            name = part.get(key)
            if isinstance(name, str) and name.removeprefix("torch.") in _SAFETENSORS_DTYPES.values():
                return name.removeprefix("torch.")
    return ""


def _quantized(
    config: Mapping[str, object],
    text: Mapping[str, object],
    modelopt: Mapping[str, object] | None,
    flagged: Mapping[str, object] | None,
) -> tuple[Quantized, tuple[str, ...]]:
    """Method and scheme; a section of config.json that names no method is a doubt."""
    try:
        return quantization_of(config, text, modelopt, flagged), ()
    except PlanError as error:
        return Quantized(), (str(error),)


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
