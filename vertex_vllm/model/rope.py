"""How a model's positions are stretched, and the context length that follows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vertex_vllm.model.transformer import TEXT_PARTS, context_length
from vertex_vllm.vllm_versions import VersionRange, version_key

# vLLM `_get_and_verify_max_len`: of these kinds `max_position_embeddings` is the stretched length already; so it is for
# Gemma 3 of any kind.
_STRETCHED_ALREADY = ("su", "longrope", "llama3", "default")
_STRETCHED_MODELS = "gemma3"
# Since this version `max_position_embeddings` is the stretched length with YaRN too (config/model.py of the wheels
# vllm 0.28.0, which multiplies, and 0.30.0, which does not).
_YARN_STRETCHED_SINCE = "0.30.0"
_LONGEST = 1 << 31
_SECTIONS = ("rope_parameters", "rope_scaling")
# Pairs of an old and a new name for one kind.
_SAME = (("su", "longrope"), ("mrope", "default"))
# Keys of --hf-overrides that change lengths alone.
_LENGTH_KEYS = {"rope_scaling", "rope_parameters", "rope_theta", "max_position_embeddings", "model_max_length"}


@dataclass(frozen=True)
class Rope:
    kind: str
    """`rope_type`; empty: positions are not stretched."""
    factor: float = 1.0
    original_length: int = 0
    """`original_max_position_embeddings`; 0: not given."""

    def __str__(self) -> str:
        return f"{self.kind} × {self.factor:g}" if self.kind else ""

    def context_length(self, positions: int, model_type: str, versions: VersionRange | None = None) -> int:
        """Tokens that vLLM accepts with so many `max_position_embeddings`; 0: no limit is known."""
        if not self.kind or self.kind in _STRETCHED_ALREADY or _STRETCHED_MODELS in model_type:
            return positions
        newer = versions is not None and version_key(versions.earliest) >= version_key(_YARN_STRETCHED_SINCE)
        if newer and self.kind.endswith("yarn"):
            return positions
        begun = self.original_length if self.kind == "yarn" and self.original_length else positions
        return min(int(begun * self.factor), _LONGEST)


def rope_of(text: Mapping[str, object]) -> Rope:
    """From `rope_parameters` or `rope_scaling` of a text model's config; anything unusable is none."""
    for name in _SECTIONS:
        for section in _sections(text.get(name)):
            kind = section.get("rope_type", section.get("type"))
            factor, original = section.get("factor", 1.0), section.get("original_max_position_embeddings", 0)
            usable = isinstance(factor, int | float) and not isinstance(factor, bool) and 0 < factor < 1 << 16
            if isinstance(kind, str) and kind.isidentifier() and kind != "default":
                return Rope(kind, float(factor) if usable else 1.0, original if _is_length(original) else 0)
    return Rope("")


def rope_faults(text: Mapping[str, object]) -> Iterator[tuple[str, bool]]:
    """Sections that vLLM refuses, and whether every version does.

    `patch_rope_scaling_dict`, up to 0.20.0, and `patch_legacy_rope_type`, in 0.26.0, of transformers_utils/config.py.
    """
    for name in _SECTIONS:
        for section in _sections(text.get(name)):
            kind, legacy = section.get("rope_type"), section.get("type")
            if kind is None and legacy is None:
                yield f"config.json: {name} has no rope_type, and vLLM may refuse that", False
            elif None not in (kind, legacy) and kind != legacy and (legacy, kind) not in _SAME:
                told = " and ".join(
                    f"{key} {str(each)[:40]!r}" for key, each in (("rope_type", kind), ("type", legacy))
                )
                yield f"config.json: {name} has {told}", True
            elif "yarn" in (kind, legacy) and "original_max_position_embeddings" not in section:
                # `_get_and_verify_max_len` reads it; transformers 5 fills it in.
                yield f"{name}: yarn without original_max_position_embeddings, which vLLM may refuse", False


def _sections(value: object) -> list[Mapping[str, Any]]:
    """The section, or those of each kind of layer within it."""
    if not isinstance(value, dict) or not value:
        return []
    inner: list[Mapping[str, Any]] = [each for each in value.values() if isinstance(each, dict)]
    return inner if len(inner) == len(value) else [value]


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LONGEST


def overridden_length(
    given: Mapping[str, str], positions: int, model_type: str, versions: VersionRange | None
) -> int | None:
    """Context in tokens that --hf-overrides or --rope-scaling makes of a model; None: they change no length."""
    overrides = _text_overrides(_object(given.get("--hf-overrides", "")))
    if "--rope-scaling" in given:
        overrides["rope_scaling"] = _object(given["--rope-scaling"])
    if not _LENGTH_KEYS & set(overrides):
        return None
    return rope_of(overrides).context_length(context_length(overrides) or positions, model_type, versions)


def overridden_rope_doubts(given: Mapping[str, str]) -> tuple[str, ...]:
    """Doubts about a stretch that --hf-overrides or --rope-scaling names."""
    overrides = _text_overrides(_object(given.get("--hf-overrides", "")))
    if "--rope-scaling" in given:
        overrides["rope_scaling"] = _object(given["--rope-scaling"])
    return tuple(told.removeprefix("config.json: ") for told, _ in rope_faults(overrides))


def overrides_lengths_alone(value: str) -> bool:
    """Whether --hf-overrides changes nothing but lengths, of the model or of its text model."""
    overrides = _object(value)
    inner = [overrides[part] for part in TEXT_PARTS if isinstance(overrides.get(part), dict)]
    outer = {key for key in overrides if key not in TEXT_PARTS}
    return bool(overrides) and all(set(part) <= _LENGTH_KEYS for part in (outer, *inner))


def _text_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    parts = (overrides[part] for part in TEXT_PARTS if isinstance(overrides.get(part), dict))
    return {**overrides, **next(parts, {})}


def _object(value: str) -> dict[str, Any]:
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
