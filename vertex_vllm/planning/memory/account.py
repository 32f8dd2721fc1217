"""A memory estimate as plain numbers, each with its source, for plans and their pages."""

from dataclasses import dataclass
from typing import Any, Self

from vertex_vllm.planning.memory.estimate import MemoryEstimate, Verdict
from vertex_vllm.planning.memory.interval import GIB, Interval
from vertex_vllm.planning.memory.remedies import in_steps, largest_sequences, longest_context


@dataclass(frozen=True)
class Amount:
    """GiB on one accelerator."""

    low: float
    likely: float
    high: float

    @classmethod
    def of(cls, interval: Interval) -> Self:
        return cls(*(round(end / GIB, 3) for end in (interval.low, interval.likely, interval.high)))

    def __str__(self) -> str:
        if f"{self.low:.2f}" == f"{self.high:.2f}":
            return f"{self.likely:.2f}"
        return f"{self.likely:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Line:
    name: str
    amount: Amount
    source: str


@dataclass(frozen=True)
class MemoryAccount:
    """Memory of one accelerator in bytes: vLLM's share, its deductions, and the rest for the cache."""

    verdict: Verdict
    reasons: tuple[str, ...]
    requested: Line
    deducted: tuple[Line, ...]
    cache: Line
    one_request: Line
    """Cache that one request of `max_model_len` tokens needs."""
    longest_context: int
    """Largest `max_model_len` that fits with these sequences, in steps of 256 tokens; 0: none does."""
    most_sequences: int
    """Largest `max_num_seqs` that fits with this length; 0: none does."""

    @classmethod
    def of(cls, estimate: MemoryEstimate) -> Self:
        start = estimate.start
        share = f"{start.total_bytes / GIB:.2f} × {start.gpu_memory_utilization:g}, vLLM's share of one GPU"
        fits = estimate.verdict == "fits"
        return cls(
            verdict=estimate.verdict,
            reasons=estimate.reasons,
            requested=Line("requested", Amount.of(Interval.exact(estimate.requested)), share),
            deducted=tuple(Line(term.name, Amount.of(term.amount), term.source) for term in estimate.terms),
            cache=Line(
                "KV cache", Amount.of(estimate.cache), f"{estimate.blocks} blocks, {estimate.cache_tokens} tokens"
            ),
            one_request=Line(
                "one request", Amount.of(Interval.exact(estimate.needed)), f"max_model_len {start.max_model_len}"
            ),
            longest_context=max(in_steps(longest_context(estimate.model, start)), start.max_model_len) if fits else 0,
            most_sequences=largest_sequences(estimate.model, start) if fits else 0,
        )

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        lines = {name: _line(fields[name]) for name in ("requested", "cache", "one_request")}
        deducted = tuple(map(_line, fields["deducted"]))
        return cls(**{**fields, **lines, "deducted": deducted, "reasons": tuple(fields["reasons"])})


def _line(fields: dict[str, Any]) -> Line:
    return Line(fields["name"], Amount(**fields["amount"]), fields["source"])
