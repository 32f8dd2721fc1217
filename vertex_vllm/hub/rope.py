"""How a model's positions are stretched, and how long a context that makes."""

from collections.abc import Mapping
from dataclasses import dataclass

# vLLM `_get_and_verify_max_len`: of these kinds `max_position_embeddings` is the stretched length already; so it is for
# Gemma 3 whatever its kind.
_STRETCHED_ALREADY = ("su", "longrope", "llama3", "default")
_STRETCHED_MODELS = "gemma3"
_LONGEST = 1 << 31


@dataclass(frozen=True)
class Rope:
    kind: str
    """`rope_type`; empty: positions are not stretched."""
    factor: float = 1.0
    original_length: int = 0
    """`original_max_position_embeddings`; 0: not told."""

    def __str__(self) -> str:
        return f"{self.kind} × {self.factor:g}" if self.kind else ""

    def context_length(self, positions: int, model_type: str) -> int:
        """Tokens that vLLM takes of a model with so many `max_position_embeddings`."""
        if not self.kind or self.kind in _STRETCHED_ALREADY or _STRETCHED_MODELS in model_type:
            return positions
        begun = self.original_length if self.kind == "yarn" and self.original_length else positions
        return min(int(begun * self.factor), _LONGEST)


def rope_of(text: Mapping[str, object]) -> Rope:
    """From `rope_parameters` or `rope_scaling` of a text model's config; anything unusable is none."""
    for name in ("rope_parameters", "rope_scaling"):
        section = text.get(name)
        if isinstance(section, dict):
            kind = section.get("rope_type", section.get("type"))
            factor, original = section.get("factor", 1.0), section.get("original_max_position_embeddings", 0)
            usable = isinstance(factor, int | float) and not isinstance(factor, bool) and 0 < factor < 1 << 16
            if isinstance(kind, str) and kind.isidentifier() and kind != "default":
                return Rope(kind, float(factor) if usable else 1.0, original if _is_length(original) else 0)
    return Rope("")


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LONGEST
