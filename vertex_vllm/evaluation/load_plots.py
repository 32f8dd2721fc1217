"""Plots of the load: distributions of latencies, the course of the load, latency against rate."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from vertex_vllm.evaluation.load import Load
from vertex_vllm.evaluation.svg_drawing import FIRST, HALF_WIDTH, INK, SECOND, distribution, draw
from vertex_vllm.load.figures import LoadFigures
from vertex_vllm.load.slo import Slo

_HEIGHT = 2.9
_DISTRIBUTIONS = {
    "first_token": ("time_to_first_token", "Time to first token", "seconds"),
    "inter_token": ("inter_token_latency", "Time of a further token", "seconds, mean of one answer"),
    "latency": ("end_to_end", "Latency of a whole answer", "seconds"),
}


def load_plots(load: Load) -> dict[str, str]:
    """Name → SVG: `first_token`, `inter_token`, `latency`, `timeline`, `rate`; absent what was not measured."""
    if load.result is None:
        return {}
    slo, figures, drawn = load.result.settings.slo, load.result.figures, {}
    done = [sample for sample in load.measured if not sample.error]
    for name, (latency, title, label) in _DISTRIBUTIONS.items():
        values = [seconds for sample in done if (seconds := sample.latency(latency)) is not None]
        if values:
            drawn[name] = _distribution(values, title, label, slo.limits.get(latency, 0.0))
    drawn["timeline"] = draw(HALF_WIDTH, _HEIGHT, lambda axes: _timeline(axes, figures))
    if load.result.search is not None:
        steps = sorted(load.result.search.steps, key=lambda step: step.rate)
        drawn["rate"] = draw(HALF_WIDTH, _HEIGHT, lambda axes: _rates(axes, steps, slo))
    return drawn


def _distribution(values: Sequence[float], title: str, label: str, limit: float) -> str:
    return draw(HALF_WIDTH, _HEIGHT, lambda axes: distribution(axes, values, title, label, limit))


def _timeline(axes: Axes, figures: LoadFigures) -> None:
    """Output tokens per second over the load's time; answers per second where tokens are not counted."""
    counted = figures.output_tokens_per_second is not None
    rows = figures.timeline
    starts = [row["start"] for row in rows]
    values = [row["output_tokens" if counted else "completed"] for row in rows]
    axes.step(starts, values, where="post", color=FIRST, linewidth=1.8)
    failed = [row["start"] for row in rows if row["failed"]]
    if failed:
        axes.plot(failed, [0.0] * len(failed), "x", color=SECOND, label="failed requests", clip_on=False)
        axes.legend(loc="upper left")
    axes.set(title="Course of the load", xlabel="seconds", ylabel=f"{'output tokens' if counted else 'answers'}/s")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _rates(axes: Axes, steps: Sequence[LoadFigures], slo: Slo) -> None:
    """The SLO's percentile of each limited latency against the rate, both logarithmic. Only met steps are filled."""
    which = f"p{slo.percentile:g}"
    for (latency, limit), colour in zip(slo.limits.items(), (FIRST, SECOND, INK), strict=False):
        points = [(step, step.latencies[latency][which].value) for step in steps if latency in step.latencies]
        rates, values = [step.rate for step, _ in points], [value for _, value in points]
        axes.plot(rates, values, color=colour, linewidth=1.4, label=f"{latency.replace('_', ' ')} {which}")
        met = [(step.rate, value) for step, value in points if step.meets_slo]
        missed = [(step.rate, value) for step, value in points if not step.meets_slo]
        for marks, fill in ((met, colour), (missed, "none")):
            axes.plot(
                [x for x, _ in marks], [y for _, y in marks], "o", color=colour, markerfacecolor=fill, markersize=5
            )
        axes.axhline(limit, color=colour, linestyle="--", linewidth=1.0)
    axes.set(title="Latency against rate", xlabel="requests per second", ylabel="seconds")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(loc="upper left")
