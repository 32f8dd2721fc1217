"""The evaluation for people: one HTML file that needs nothing but itself."""

from markupsafe import Markup

from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of
from vertex_vllm.evaluation.gates import gates_of
from vertex_vllm.evaluation.plots import plots
from vertex_vllm.pages import page_environment


def render(evaluation: Evaluation) -> str:
    """HTML without scripts or outside references. What a model said is untrusted: the template escapes all of it."""
    environment = page_environment("vertex_vllm.evaluation")
    environment.filters["figure"] = _figure
    environment.filters["share"] = lambda value: f"{value:.0%}"
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        metrics=metrics_of(evaluation),
        gates=gates_of(evaluation),
        # SVG by matplotlib, which escapes the text it draws.
        plots={name: Markup(svg) for name, svg in plots(evaluation).items()},
    )


def _figure(value: float | None) -> str:
    """Three digits that count, and no exponents."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
