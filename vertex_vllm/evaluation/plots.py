"""The report's plots."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from vertex_vllm.evaluation.evaluate import Evaluation
from vertex_vllm.evaluation.evaluation_course import Phase, course_of
from vertex_vllm.evaluation.load_plots import load_plots
from vertex_vllm.evaluation.svg_drawing import BOTTOM, FIRST, HALF_WIDTH, LABEL_CHARACTERS, LEGEND, SECOND, beside, draw


def plots(evaluation: Evaluation) -> dict[str, str]:
    """Name → SVG. A plot of something that was not measured is absent."""
    categories = sorted({answered.item.category for answered in evaluation.answers})
    drawn = {}
    if categories:
        drawn["exact_match"] = draw(
            HALF_WIDTH,
            1.1 + 0.24 * len(categories),
            lambda axes: _exact_match(axes, categories, evaluation),
            left=beside(categories),
            bottom=BOTTOM + LEGEND,
        )
    if course := course_of(evaluation):
        height = 0.9 + 0.26 * len(course)
        names = [phase.name for phase in course]
        drawn["course"] = draw(HALF_WIDTH, height, lambda axes: _course(axes, course), left=beside(names))
    return drawn | load_plots(evaluation.load)


def _course(axes: Axes, course: Sequence[Phase]) -> None:
    """A row for each phase, from the first request on; crosses are questions whose request failed."""
    start = course[0].start
    whole = max(phase.end for phase in course) - start
    unit, name = (60.0, "minutes") if whole > 180 else (1.0, "seconds")
    for row, phase in enumerate(course):
        bars = [((begun - start) / unit, max(ended - begun, whole / 200) / unit) for begun, ended in phase.spans]
        axes.broken_barh(bars, (row - 0.3, 0.6), facecolors=FIRST)
        axes.plot([(at - start) / unit for at in phase.failed_at], [row] * len(phase.failed_at), "x", color=SECOND)
    axes.set_yticks(range(len(course)), [phase.name for phase in course])
    axes.set(title="Course of the evaluation", xlabel=f"{name} from the first request")
    axes.set_xlim(left=0)
    axes.set_ylim(len(course) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def _exact_match(axes: Axes, categories: Sequence[str], evaluation: Evaluation) -> None:
    """Right answers by category, beside those of the baseline on the same items."""
    rows = range(len(categories))
    before = _baseline_right(evaluation)
    candidate, baseline = [], []
    for category in categories:
        asked = [answered for answered in evaluation.answers if answered.item.category == category]
        candidate.append(_share([answered.right for answered in asked]))
        baseline.append(_share([before[each.item.id] for each in asked if each.item.id in before]))
    axes.barh([row - 0.2 for row in rows], candidate, height=0.36, color=FIRST, label="this run")
    if before:
        axes.barh([row + 0.2 for row in rows], baseline, height=0.36, color=SECOND, label="baseline")
    axes.set_yticks(list(rows), [_plain(category) for category in categories])
    axes.set(title="Right answers by category", xlabel="share of questions", xlim=(0, 1))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    # Below the axis label, wherever the number of categories puts it.
    height = axes.bbox.height / axes.figure.dpi * 72
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -BOTTOM / height), borderaxespad=0, ncols=2)


def _baseline_right(evaluation: Evaluation) -> dict[str, bool]:
    if evaluation.comparison is None or evaluation.asking.baseline is None:
        return {}
    return {item.id: item.right for item in evaluation.asking.baseline.items}


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _plain(text: str) -> str:
    """Short enough to leave room for the bars, and without `$`, which matplotlib would take for mathematics."""
    short = text if len(text) <= LABEL_CHARACTERS else f"{text[: LABEL_CHARACTERS - 1]}…"
    return short.replace("$", r"\$")
