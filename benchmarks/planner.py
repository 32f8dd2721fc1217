"""Compares the planner's memory model with real vLLM: predicted, observed and error of every start in a file.

Run: `.venv/bin/python -m benchmarks.planner [OBSERVATIONS.jsonl]`. Exit code 1 if an error exceeds the
planner's bounds: weights within 1 %, KV tokens within 1 % at the median and 3 % at worst, no wrong verdict.
Two published formulas are compared too, with the same tensors and the same KV bytes per token:

- accelerate (`accelerate estimate-memory`, and its documentation's "up to an additional 20 %" for inference)
- KAITO (its estimator: 1.02 × the weight files + 2.3 GiB a GPU, the rest is cache)
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from vertex_vllm.model.transformer import transformer_from_config
from vertex_vllm.planning.memory.cache import token_bytes_of_layer
from vertex_vllm.planning.memory.estimate import MemoryEstimate, estimate_memory
from vertex_vllm.planning.memory.interval import GIB
from vertex_vllm.planning.memory.start import Start
from vertex_vllm.planning.memory.weights import parameters
from vertex_vllm.vllm_versions import VersionRange

DEFAULT = Path(__file__).resolve().parent.parent / "tests/data/vllm_memory_observations.jsonl"
# Memory of an H200 according to PyTorch, for rows that failed before they reported it; one GPU (the data's README).
H200_BYTES, GPUS = 150_109_880_320, 1
ACCELERATE_INFERENCE = 1.2
WEIGHTS_WORST, TOKENS_MEDIAN, TOKENS_WORST = 0.01, 0.01, 0.03
KAITO_WEIGHTS, KAITO_RUNTIME = 1.02, 2.3 * GIB


@dataclass(frozen=True)
class Figures:
    """The prediction of one method for one start."""

    weights: float
    """Bytes."""
    tokens: float
    """Tokens that the KV cache holds."""


@dataclass(frozen=True)
class Row:
    run: str
    observed: Figures | None
    """None: vLLM did not start."""
    estimate: MemoryEstimate
    ours: Figures
    accelerate: Figures
    kaito: Figures


def read_rows(path: Path) -> list[Row]:
    """One row per line of the file. The model gets only the inputs, never the profiler's results."""
    return [_row(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def weight_error(figures: Figures, row: Row) -> float:
    """Signed relative error, for a start that succeeded."""
    return figures.weights / row.observed.weights - 1 if row.observed else 0.0


def token_error(figures: Figures, row: Row) -> float:
    return figures.tokens / row.observed.tokens - 1 if row.observed else 0.0


def _row(observation: Mapping[str, Any]) -> Row:
    inputs, held = observation["inputs"], observation["bytes"] or {}
    model = transformer_from_config(observation["model_config"])
    start = Start(
        total_bytes=held.get("total") or H200_BYTES,
        gpus=GPUS,
        max_model_len=inputs["max_model_len"],
        max_num_seqs=inputs["max_num_seqs"],
        max_num_batched_tokens=inputs["max_num_batched_tokens"],
        gpu_memory_utilization=inputs["gpu_memory_utilization"],
        tensor_parallel=observation["tensor_parallel_size"],
        quantization=inputs["quantization"] or "",
        kv_cache_dtype=inputs["kv_cache_dtype"],
        enforce_eager=inputs["enforce_eager"],
        warm_compile_cache=observation["compile_cache"] == "warm",
        versions=VersionRange(observation["vllm"], observation["vllm"]),
    )
    estimate = estimate_memory(model, start)
    counted = parameters(model, start.tensor_parallel)
    numbers = counted.linear + counted.tables
    stored = numbers * 2
    asked = numbers * (1 if start.quantization == "fp8" else 2)  # accelerate has a column for 8-bit weights
    per_token = model.layers * token_bytes_of_layer(model, start)
    return Row(
        run=f"{observation['model']} {observation['run']}",
        observed=Figures(held["weights"], observation["kv_cache_tokens_logged"]) if held.get("weights") else None,
        estimate=estimate,
        ours=Figures(estimate.terms[0].amount.likely, estimate.cache_tokens),
        accelerate=Figures(asked, (estimate.requested - ACCELERATE_INFERENCE * asked) / per_token),
        kaito=Figures(
            KAITO_WEIGHTS * stored, (estimate.requested - KAITO_WEIGHTS * stored - KAITO_RUNTIME) / per_token
        ),
    )


def render(rows: Iterable[Row]) -> str:
    """A table of all starts, then medians and worst."""
    rows = list(rows)
    lines = [
        f"{'start':<34} {'weights GiB':>23} {'':>7} {'KV tokens':>21} {'':>8} {'accelerate':>10} {'KAITO':>8}  verdict",
        f"{'':<34} {'predicted':>11} {'observed':>11} {'error':>7} {'predicted':>10} {'observed':>10} {'error':>8} "
        f"{'error':>10} {'error':>8}",
    ]
    for row in rows:
        if row.observed is None:
            why = "; ".join(row.estimate.reasons)
            lines.append(f"{row.run:<34} {'did not start':>23} {'':>66} {row.estimate.verdict}: {why}")
            continue
        lines.append(
            f"{row.run:<34} {row.ours.weights / GIB:>11.3f} {row.observed.weights / GIB:>11.3f} "
            f"{weight_error(row.ours, row):>+7.2%} {row.ours.tokens:>10.0f} {row.observed.tokens:>10.0f} "
            f"{token_error(row.ours, row):>+8.3%} {token_error(row.accelerate, row):>+10.1%} "
            f"{token_error(row.kaito, row):>+8.2%}  {row.estimate.verdict}"
        )
    return "\n".join([*lines, "", *_summary(rows)]) + "\n"


def _summary(rows: list[Row]) -> list[str]:
    started = [row for row in rows if row.observed]
    failed = [row for row in rows if not row.observed]
    lines = [f"{len(started)} starts, {len(failed)} failures", ""]
    if started:
        lines += [
            "| method | weights, median | weights, worst | KV tokens, median | KV tokens, worst |",
            "|---|---|---|---|---|",
        ]
        for name in ("ours", "accelerate", "kaito"):
            weights = [abs(weight_error(getattr(row, name), row)) for row in started]
            tokens = [abs(token_error(getattr(row, name), row)) for row in started]
            lines.append(
                f"| {name} | {median(weights):.2%} | {max(weights):.2%} | {median(tokens):.2%} | {max(tokens):.2%} |"
            )
    fits = sum(row.estimate.verdict == "fits" for row in started)
    wrong = sum(row.estimate.verdict == "fits" for row in failed)
    refused = sum(row.estimate.verdict == "does not fit" for row in started)
    lines += [
        "",
        f"Of {len(started)} that started, planned as fits: {fits}, as does not fit: {refused}. "
        f"Of {len(failed)} that failed, planned as fits: {wrong}.",
    ]
    return lines


def exceeded(rows: Iterable[Row]) -> list[str]:
    """Sentences about the bounds that our figures exceed."""
    started, failed = [], []
    for row in rows:
        (started if row.observed else failed).append(row)
    weights = [abs(weight_error(row.ours, row)) for row in started]
    tokens = [abs(token_error(row.ours, row)) for row in started]
    found = [
        f"{what}: {value:.2%}, more than {bound:.0%}"
        for what, value, bound in (
            ("weights at worst", max(weights, default=0.0), WEIGHTS_WORST),
            ("KV tokens at the median", median(tokens) if tokens else 0.0, TOKENS_MEDIAN),
            ("KV tokens at worst", max(tokens, default=0.0), TOKENS_WORST),
        )
        if value > bound
    ]
    found += [f"{row.run} started and is refused" for row in started if row.estimate.verdict == "does not fit"]
    return found + [f"{row.run} did not start and fits" for row in failed if row.estimate.verdict == "fits"]


def main() -> int:
    rows = read_rows(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
    print(render(rows), end="")
    for sentence in (broken := exceeded(rows)):
        print(sentence, file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
