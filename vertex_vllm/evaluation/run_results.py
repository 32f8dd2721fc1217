"""Results of several runs side by side: quality, the SLO's rate, latency, price of tokens, config differences."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vertex_vllm.evaluation.baseline import FORMAT

# Figure of the table → metric of an evaluation that it is read from, and whether more is better.
FIGURES = {
    "quality": ("exact_match", True),
    "SLO rate/s": ("slo_rate", True),
    "p95 first token s": ("time_to_first_token_p95_seconds", False),
    "p95 per token s": ("inter_token_latency_p95_seconds", False),
    "p95 answer s": ("latency_p95_seconds", False),
    "output tokens/s": ("load_output_tokens_per_second", True),
    "USD/M tokens": ("usd_per_million_output_tokens", False),
    "USD/M saturated": ("usd_per_million_output_tokens_at_saturation", False),
}
# Parameters that differ from run to run without saying anything.
_OF_THE_RUN = ("deployment", "project", "ttl", "keep_endpoint", "baseline")


@dataclass(frozen=True)
class RunResult:
    """A run: its parameters and the figures of its evaluation."""

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Name → figure, as the evaluation's document has them; empty: the run was not evaluated."""
    state: str = "SUCCEEDED"
    passed: bool | None = None
    """The evaluation's verdict; None: there is none."""

    def figure(self, name: str) -> float | None:
        """A figure of FIGURES; None where it was not measured."""
        return self.metrics.get(FIGURES[name][0])


def result_of(name: str, state: str, parameters: Mapping[str, Any], document: Any) -> RunResult:
    """`document`: the evaluation's JSON value; None where the run wrote none. Raises ValueError for another one."""
    if document is None:
        return RunResult(name, parameters, state=state)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    if document.get("format") != FORMAT:
        raise ValueError(f"its format is {document.get('format')!r}, not {FORMAT!r}")
    verdict, metrics = document.get("verdict"), document.get("metrics")
    if not isinstance(verdict, dict) or not isinstance(verdict.get("passed"), bool):
        raise ValueError(f"its verdict is {verdict!r:.100}")
    if not isinstance(metrics, dict):
        raise ValueError(f"its metrics are {metrics!r:.100}")
    figures = {key: float(value) for key, value in metrics.items() if _is_figure(value)}
    return RunResult(name, parameters, figures, state, verdict["passed"])


def differing_parameters(results: Sequence[RunResult]) -> dict[str, tuple[Any, ...]]:
    """Parameter → its value in each run, of those that are not the same in all of them."""
    names = dict.fromkeys(name for result in results for name in result.parameters)
    found = {name: tuple(result.parameters.get(name) for result in results) for name in names}
    return {
        name: values
        for name, values in found.items()
        if name not in _OF_THE_RUN and any(value != values[0] for value in values)
    }


def comparison_rows(results: Sequence[RunResult]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the table: a row for each figure that some run has, then for each parameter that differs."""
    rows = [("verdict", *(_verdict(result) for result in results))]
    for name in FIGURES:
        values = [result.figure(name) for result in results]
        if any(value is not None for value in values):
            rows.append((name, *map(_shown, values)))
    rows += [(name, *map(_text, values)) for name, values in differing_parameters(results).items()]
    return ("", *(result.name for result in results)), rows


def ranked(results: Sequence[RunResult]) -> tuple[RunResult, ...]:
    """Those that succeeded first; then by the price of a million tokens, the SLO's rate, and the quality.

    A run whose evaluation or SLO failed is not a candidate, so it ranks below all that passed, at any price.
    """

    def key(result: RunResult) -> tuple[bool, float, float, float]:
        price, rate = result.figure("USD/M tokens"), result.figure("SLO rate/s")
        quality = result.figure("quality")
        return (
            not is_candidate(result),
            float("inf") if price is None else price,
            -(rate or result.figure("output tokens/s") or 0.0),
            -(quality or 0.0),
        )

    return tuple(sorted(results, key=key))


def is_candidate(result: RunResult) -> bool:
    """Whether this run passed, so that its config may be recommended."""
    return result.state == "SUCCEEDED" and result.passed is not False and bool(result.metrics)


def _verdict(result: RunResult) -> str:
    if result.passed is None:
        return result.state.lower()
    return "passed" if result.passed else "failed"


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _text(value: Any) -> str:
    value = _whole(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "-" if value is None else str(value)


def _whole(value: Any) -> Any:
    """The value with whole numbers as such: Vertex AI gives them back as floats."""
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_figure(value: Any) -> bool:
    """Whether it is a finite number that a float can hold."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False
