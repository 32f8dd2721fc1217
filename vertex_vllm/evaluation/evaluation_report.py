"""The evaluation's report for people: one HTML file without outside references."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vertex_vllm.evaluation.baseline import BaselineItem
from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of
from vertex_vllm.evaluation.gates import gates_of, verdict_of
from vertex_vllm.evaluation.plots import plots
from vertex_vllm.evaluation.questioning import Answered
from vertex_vllm.evaluation.result import quality
from vertex_vllm.evaluation.statistics.power import power_of
from vertex_vllm.pages import page_environment

MOST_ITEMS = 880
MOST_CHANGES = 60
_TEXT_CHARACTERS = 500
_PICTURE_BYTES = 480_000
"""Of all pictures together, before base64: with 880 questions and their texts the page stays under 2 MB."""


@dataclass(frozen=True)
class Row:
    """A question on the page."""

    answered: Answered
    before: BaselineItem | None
    picture: str
    """data: URI; empty: none, or no room."""


def render(evaluation: Evaluation) -> str:
    """HTML without scripts or outside references. A model's answers are untrusted: the template escapes all of them."""
    environment = page_environment("vertex_vllm.evaluation")
    environment.filters["figure"] = _figure
    environment.filters["signed"] = lambda value: f"{'+' if value > 0 else ''}{_figure(value or 0.0)}"  # Not -0.
    environment.filters["duration"] = duration
    environment.filters["breakable"] = lambda name: escape(name).replace("_", Markup("_<wbr>"))
    environment.filters["share"] = lambda value: "–" if value is None else f"{value:.0%}"
    environment.filters["clipped"] = _clipped
    rows = _rows(evaluation)
    shown = rows[:MOST_ITEMS]
    passed, sentence = verdict_of(evaluation)
    asking, suite = evaluation.asking, evaluation.asking.suite
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        suite=suite,
        passed=passed,
        sentence=sentence,
        baseline=asking.baseline,
        compared=evaluation.comparison,
        quality=quality(evaluation),
        power=power_of(len(suite.items), suite.clusters, asking.terms.allowed_regression, asking.terms.confidence),
        metrics=metrics_of(evaluation),
        gates=gates_of(evaluation),
        load=evaluation.load,
        changes=_changes(evaluation, rows),
        most_changes=MOST_CHANGES,
        categories=_categories(shown),
        hidden=len(rows) - len(shown),
        # SVG by matplotlib, which escapes the text it draws.
        plots={name: Markup(svg) for name, svg in plots(evaluation).items()},
    )


def _rows(evaluation: Evaluation) -> list[Row]:
    """Changed questions first, then wrong ones, then the others, the easiest of each first."""
    baseline, compared = evaluation.asking.baseline, evaluation.comparison
    before = {(item.id, item.digest): item for item in baseline.items} if baseline and compared else {}
    changed = frozenset(compared.changed) if compared else frozenset()
    ordered = sorted(
        evaluation.answers, key=lambda each: (each.item.id not in changed, each.right, each.item.level, each.item.id)
    )
    rows, room = [], _PICTURE_BYTES
    for answered in ordered:
        fits = 0 < len(answered.item.content) <= room
        room -= len(answered.item.content) if fits else 0
        old = before.get((answered.item.id, answered.item.digest))
        rows.append(Row(answered, old, answered.item.picture_uri if fits else ""))
    return rows


def _changes(evaluation: Evaluation, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Title and rows of the lost answers, the other changed ones, and the gained ones; the easiest questions first."""
    compared = evaluation.comparison
    if compared is None:
        return []
    lost, gained = frozenset(compared.lost), frozenset(compared.gained)
    otherwise = frozenset(compared.changed) - lost - gained
    named = (("Lost", lost), ("Changed, neither lost nor gained", otherwise), ("Gained", gained))
    return [(title, [row for row in rows if row.answered.item.id in ids]) for title, ids in named]


def _categories(rows: Iterable[Row]) -> list[tuple[str, list[Row], int]]:
    """Category, its rows, and how many of them are right."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.answered.item.category, []).append(row)
    return [(name, group, sum(row.answered.right for row in group)) for name, group in sorted(grouped.items())]


def _figure(value: float | None) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return "–"
    if value and abs(value) < 0.001:
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) >= 0.00001 else "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """With its unit: milliseconds below a second."""
    if seconds is None:
        return "–"
    return f"{_figure(1000 * seconds)} ms" if seconds < 1 else f"{_figure(seconds)} s"


def _clipped(text: str) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= _TEXT_CHARACTERS:
        return text
    head, tail = text[: _TEXT_CHARACTERS * 2 // 3], text[-_TEXT_CHARACTERS // 3 :]
    return f"{head} … [{len(text) - _TEXT_CHARACTERS} characters] … {tail}"
