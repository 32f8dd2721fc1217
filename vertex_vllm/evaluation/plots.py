"""The report's plots, as SVG that takes its colours from the page, so that it suits a light and a dark one."""

import io
from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from vertex_vllm.evaluation.evaluate import Evaluation
from vertex_vllm.evaluation.load import percentile

# Colours that only stand for a CSS variable of the page: matplotlib cannot write `var(--…)` itself.
_INK, _GRID, _FIRST, _SECOND = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {_INK: "--ink", _GRID: "--line", _FIRST: "--first", _SECOND: "--second"}

_STYLE = {
    "svg.fonttype": "none",  # Text stays text: it can be found, copied and read aloud.
    "svg.hashsalt": "vertex-vllm",  # The same figures give the same bytes.
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
}
_LABEL_CHARACTERS = 36
_HALF_WIDTH, _FULL_WIDTH = 4.7, 9.6  # Inches of 72 points: 338 and 691 of them; the page scales both.
_POINTS = 72
# Room around the axes, in points. Counted out rather than measured: the browser sets the text in a font of its own, and
# matplotlib's layout engines, which draw everything twice, take half of an evaluation's time.
_TOP, _RIGHT, _BOTTOM, _LEGEND = 24, 14, 38, 20
_LEFT = 44  # A label, turned, and numbers like 0.75.
_CHARACTER, _TICK = 6.1, 12  # Of DejaVu Sans at 10 points, which is wide; a tick with its gaps.


def plots(evaluation: Evaluation) -> dict[str, str]:
    """Name → SVG. A plot of something that was not measured is absent."""
    done = [reply for reply in evaluation.load.replies if not reply.error]
    first_tokens = [reply.first_token_seconds for reply in done if reply.first_token_seconds is not None]
    speeds = [reply.tokens_per_second for reply in done if reply.tokens_per_second is not None]
    categories = sorted({answered.item.category for answered in evaluation.answers})
    drawn = {}
    if categories:
        drawn["exact_match"] = _draw(
            _FULL_WIDTH,
            1.1 + 0.24 * len(categories),
            lambda axes: _exact_match(axes, categories, evaluation),
            left=_beside(categories),
            bottom=_BOTTOM + _LEGEND,
        )
    if first_tokens:
        drawn["first_token"] = _draw(_HALF_WIDTH, 2.9, lambda axes: _first_token(axes, first_tokens))
    if speeds:
        drawn["speed"] = _draw(_HALF_WIDTH, 2.9, lambda axes: _speed(axes, speeds))
    latencies = [reply.seconds for reply in done]
    if latencies:
        drawn["latency"] = _draw(_HALF_WIDTH, 2.9, lambda axes: _latency(axes, latencies))
    return drawn


def _beside(labels: Sequence[str]) -> float:
    """Room for labels to the left of the axes."""
    return _TICK + _CHARACTER * min(max(map(len, labels), default=0), _LABEL_CHARACTERS)


def _draw(
    width: float, height: float, paint: Callable[[Axes], None], left: float = _LEFT, bottom: float = _BOTTOM
) -> str:
    across, down = width * _POINTS, height * _POINTS
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        figure.patch.set_visible(False)
        axes = figure.add_axes((left / across, bottom / down, 1 - (left + _RIGHT) / across, 1 - (bottom + _TOP) / down))
        axes.patch.set_visible(False)
        paint(axes)
        written = io.StringIO()
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def _distribution(axes: Axes, values: Sequence[float], title: str, label: str) -> None:
    """Share of requests up to each value, as steps: no bins to choose, and p95 can be read off."""
    ordered = sorted(values)
    shares = [(rank + 1) / len(ordered) for rank in range(len(ordered))]
    axes.step([ordered[0], *ordered], [0.0, *shares], where="post", color=_FIRST, linewidth=1.8)
    for percent, style in ((50, ":"), (95, "--")):
        value = percentile(ordered, percent)
        axes.axvline(value, color=_SECOND, linestyle=style, linewidth=1.2, label=f"p{percent} {value:.3g}")
    axes.set(title=title, xlabel=label, ylabel="share of requests", ylim=(0, 1.02))
    axes.set_xlim(left=0)
    axes.legend(loc="upper left")


def _first_token(axes: Axes, values: Sequence[float]) -> None:
    _distribution(axes, values, "Time to first token", "seconds")


def _latency(axes: Axes, values: Sequence[float]) -> None:
    _distribution(axes, values, "Latency of a whole answer", "seconds")


def _speed(axes: Axes, values: Sequence[float]) -> None:
    _distribution(axes, values, "Speed of one answer", "output tokens per second")


def _exact_match(axes: Axes, categories: Sequence[str], evaluation: Evaluation) -> None:
    """Right answers by category, beside those of the baseline on the same items."""
    rows = range(len(categories))
    before = _baseline_right(evaluation)
    candidate, baseline = [], []
    for category in categories:
        asked = [answered for answered in evaluation.answers if answered.item.category == category]
        candidate.append(_share([answered.right for answered in asked]))
        baseline.append(_share([before[each.item.id] for each in asked if each.item.id in before]))
    axes.barh([row - 0.2 for row in rows], candidate, height=0.36, color=_FIRST, label="this run")
    if before:
        axes.barh([row + 0.2 for row in rows], baseline, height=0.36, color=_SECOND, label="baseline")
    axes.set_yticks(list(rows), [_plain(category) for category in categories])
    axes.set(title="Right answers by category", xlabel="share of questions", xlim=(0, 1))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), borderaxespad=0, ncols=2)


def _baseline_right(evaluation: Evaluation) -> dict[str, bool]:
    if evaluation.comparison is None or evaluation.asking.baseline is None:
        return {}
    return {item.id: item.right for item in evaluation.asking.baseline.items}


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _plain(text: str) -> str:
    """Short enough to leave room for the bars, and without `$`, which matplotlib would take for mathematics."""
    short = text if len(text) <= _LABEL_CHARACTERS else f"{text[: _LABEL_CHARACTERS - 1]}…"
    return short.replace("$", r"\$")
