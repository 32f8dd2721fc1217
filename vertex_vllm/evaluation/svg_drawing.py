"""Axes as SVG that takes its colours from the page, so that it suits light and dark pages."""

import io
from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from vertex_vllm.percentiles import percentile

# Placeholder colours, each replaced by a CSS variable of the page: matplotlib cannot write `var(--…)` itself.
INK, GRID, FIRST, SECOND = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {INK: "--ink", GRID: "--line", FIRST: "--first", SECOND: "--second"}

_STYLE = {
    "svg.fonttype": "none",  # Text stays text: it can be found, copied and read aloud.
    "svg.hashsalt": "vertex-vllm",  # The same figures give the same bytes.
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
LABEL_CHARACTERS = 36
HALF_WIDTH = 4.7  # Inches of 72 points: 338 of them; the page scales it.
_POINTS = 72
# Room around the axes, in points. Computed rather than measured: the browser sets the text in a font of its own, and
# matplotlib's layout engines, which draw everything twice, take half of an evaluation's time.
_TOP, _RIGHT, BOTTOM, LEGEND = 24, 14, 38, 20
_LEFT = 44  # A label, turned, and numbers like 0.75.
_CHARACTER, _TICK = 6.1, 12  # Of DejaVu Sans at 10 points, which is wide; a tick with its gaps.


def beside(labels: Sequence[str]) -> float:
    """Room for labels to the left of the axes."""
    return _TICK + _CHARACTER * min(max(map(len, labels), default=0), LABEL_CHARACTERS)


def draw(
    width: float, height: float, paint: Callable[[Axes], None], left: float = _LEFT, bottom: float = BOTTOM
) -> str:
    """A pair of axes as SVG. Width and height in inches, room around the axes in points."""
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


def distribution(axes: Axes, values: Sequence[float], title: str, label: str, limit: float = 0.0) -> None:
    """Cumulative share of requests as steps, which need no bins and show p95. `limit`: an SLO's seconds; 0: none."""
    ordered = sorted(values)
    shares = [(rank + 1) / len(ordered) for rank in range(len(ordered))]
    axes.step([ordered[0], *ordered], [0.0, *shares], where="post", color=FIRST, linewidth=1.8)
    for percent, style in ((50, ":"), (95, "--")):
        value = percentile(ordered, percent)
        axes.axvline(value, color=SECOND, linestyle=style, linewidth=1.2, label=f"p{percent} {value:.3g}")
    if limit:
        axes.axvline(limit, color=INK, linewidth=1.2, label=f"limit {limit:.3g}")
    axes.set(title=title, xlabel=label, ylabel="share of requests", ylim=(0, 1.02))
    axes.set_xlim(left=0)
    axes.legend(loc="upper left")
