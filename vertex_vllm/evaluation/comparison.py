"""Compares a candidate with its baseline on the same items, and decides whether it is worse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vertex_vllm.evaluation.baseline import Baseline, BaselineItem
from vertex_vllm.evaluation.questioning import Answered
from vertex_vllm.evaluation.statistics.paired_bootstrap import Difference, paired_difference
from vertex_vllm.evaluation.statistics.paired_interval import drop_at_most, drop_interval, paired_counts
from vertex_vllm.evaluation.statistics.paired_test import worse_p_value
from vertex_vllm.evaluation.statistics.share_interval import share_at_least

CATEGORY_ROOM = 3
Verdict = Literal["not worse", "worse", "undecided"]


@dataclass(frozen=True)
class Terms:
    """Losses against its baseline that a candidate may have."""

    allowed_regression: float = 0.05
    """Share of right answers."""
    allowed_changed_answers: float = 0.1
    """Share of answers that may read otherwise where the same commit of the same model is served; 1: any."""
    confidence: float = 0.95
    """Of the bounds, 0 to 1."""


@dataclass(frozen=True)
class Part:
    """The comparison within one category."""

    category: str
    items: int
    """Asked by both runs."""
    lost: int
    """Right in the baseline, wrong in the candidate."""
    gained: int
    """Wrong in the baseline, right in the candidate."""
    changed: int
    """Answers that read otherwise."""
    p_value: float
    """Of the exact one-sided test."""
    changed_at_least: float
    """Share, with the confidence that all categories together keep."""

    @property
    def drop(self) -> float:
        return (self.lost - self.gained) / self.items


@dataclass(frozen=True)
class Figure:
    """A measured figure of both runs."""

    name: str
    unit: str
    of: Difference


@dataclass(frozen=True)
class Comparison:
    """Two runs on the items that both have asked."""

    terms: Terms
    items: int
    clusters: int
    baseline_share: float
    candidate_share: float
    lost: tuple[str, ...]
    """Ids of items right in the baseline and wrong now."""
    gained: tuple[str, ...]
    changed: tuple[str, ...]
    """Ids of items whose answers read otherwise, lost and gained ones among them."""
    low: float
    high: float
    """Two-sided interval of the drop, at 2 × confidence - 1: `high` is the one-sided bound of the gate."""
    p_value: float
    """Of the exact one-sided test that the candidate is worse."""
    same_model: bool
    """Both runs served the same commit and neither model thinks first: then answers are expected to stay the same."""
    changed_at_least: float
    """Share: with this confidence at least so many answers changed."""
    parts: tuple[Part, ...] = ()
    figures: tuple[Figure, ...] = ()
    left_out: int = 0
    """Items of the candidate that the baseline was not asked, or did not answer."""

    @property
    def drop(self) -> float:
        return self.baseline_share - self.candidate_share

    @property
    def verdict(self) -> Verdict:
        """The verdict on right and wrong answers alone.

        Not worse: the drop is at most the allowed one with this confidence. Worse: the exact test shows a drop, and the
        allowed one is not ruled out. Undecided: neither; the suite is too small for the question.
        """
        if self.high <= self.terms.allowed_regression:
            return "not worse"
        return "worse" if self.p_value < 1 - self.terms.confidence else "undecided"

    @property
    def unchanged(self) -> bool:
        """Whether no more answers changed than the same model may change; true where another model is served."""
        return not self.same_model or self.changed_at_least <= self.terms.allowed_changed_answers

    @property
    def worse_parts(self) -> tuple[Part, ...]:
        """Categories that lost more than is allowed, by the exact test; Bonferroni's correction for their number.

        A fault that concerns few questions, for example a lost stop string, shows in its category and not in the whole.
        """
        least = _corrected(self.terms, len(self.parts))
        return tuple(part for part in self.parts if part.p_value < least and part.drop > self.terms.allowed_regression)

    @property
    def changed_parts(self) -> tuple[Part, ...]:
        """Categories in which the same model answers otherwise, more than three times as often as is allowed in all.

        Three times: noise gathers in the categories with the longest answers.
        """
        allowed = min(1.0, CATEGORY_ROOM * self.terms.allowed_changed_answers)
        return tuple(part for part in self.parts if self.same_model and part.changed_at_least > allowed)

    @property
    def passed(self) -> bool:
        return self.verdict == "not worse" and self.unchanged and not self.worse_parts and not self.changed_parts


def compare(baseline: Baseline, answers: Sequence[Answered], commit: str, terms: Terms) -> Comparison | None:
    """The comparison on the items with equal id and content that the baseline answered; None where there is none.

    An item whose request failed in the baseline's run is left out, because any answer would be better; an item whose
    request failed in the candidate's run counts as wrong. `commit`: of the weights that the candidate serves;
    empty: not known.
    """
    known = {(item.id, item.digest): item for item in baseline.items if not item.error}
    pairs = [
        (known[answered.item.id, answered.item.digest], answered)
        for answered in answers
        if (answered.item.id, answered.item.digest) in known
    ]
    if not pairs:
        return None
    before, after = [old.right for old, _ in pairs], [new.right for _, new in pairs]
    groups = [new.item.group for _, new in pairs]
    counts = paired_counts(before, after, groups)
    losses: dict[str, int] = dict.fromkeys(groups, 0)
    for group, was, now in zip(groups, before, after, strict=True):
        losses[group] += int(was) - int(now)
    changed = [new for old, new in pairs if _changed(old, new)]
    thinks = any(new.reply.reasoning for _, new in pairs) or any(old.thinks for old, _ in pairs)
    # Clusters count once here, too: one broken picture changes the answers to all of its questions.
    changed_clusters = len({new.item.group for new in changed})
    return Comparison(
        terms=terms,
        items=len(pairs),
        clusters=len(losses),
        baseline_share=sum(before) / len(pairs),
        candidate_share=sum(after) / len(pairs),
        lost=tuple(new.item.id for old, new in pairs if old.right and not new.right),
        gained=tuple(new.item.id for old, new in pairs if new.right and not old.right),
        changed=tuple(new.item.id for new in changed),
        low=drop_interval(counts, 2 * terms.confidence - 1)[0],
        high=drop_at_most(counts, terms.confidence),
        p_value=worse_p_value(list(losses.values())),
        same_model=bool(commit) and commit == baseline.commit and not thinks,
        changed_at_least=share_at_least(changed_clusters, len(losses), terms.confidence),
        parts=_parts(pairs, terms),
        figures=_figures(pairs, terms.confidence),
        left_out=len(answers) - len(pairs),
    )


def _corrected(terms: Terms, parts: int) -> float:
    """Probability of a false alarm that each of so many tests may have."""
    return (1 - terms.confidence) / max(parts, 1)


def _parts(pairs: Sequence[tuple[BaselineItem, Answered]], terms: Terms) -> tuple[Part, ...]:
    grouped: dict[str, list[tuple[BaselineItem, Answered]]] = {}
    for old, new in pairs:
        grouped.setdefault(new.item.category, []).append((old, new))
    confidence = 1 - _corrected(terms, len(grouped))
    return tuple(_part(category, group, confidence) for category, group in sorted(grouped.items()))


def _part(category: str, pairs: Sequence[tuple[BaselineItem, Answered]], confidence: float) -> Part:
    losses: dict[str, int] = {}
    changed: dict[str, bool] = {}
    for old, new in pairs:
        group = new.item.group
        losses[group] = losses.get(group, 0) + int(old.right) - int(new.right)
        changed[group] = changed.get(group, False) or _changed(old, new)
    return Part(
        category=category,
        items=len(pairs),
        lost=sum(old.right and not new.right for old, new in pairs),
        gained=sum(new.right and not old.right for old, new in pairs),
        changed=sum(_changed(old, new) for old, new in pairs),
        p_value=worse_p_value(list(losses.values())),
        changed_at_least=share_at_least(sum(changed.values()), len(changed), confidence),
    )


def _changed(old: BaselineItem, new: Answered) -> bool:
    return old.compared != new.compared or old.right != new.right


_FIGURES: Mapping[str, tuple[str, Callable[[Answered], float | None]]] = {
    "seconds": ("s", lambda answered: answered.reply.seconds),
    "first_token_seconds": ("s", lambda answered: answered.reply.first_token_seconds),
    "output_tokens": ("tokens", lambda answered: answered.reply.output_tokens),
}


def _figures(pairs: Sequence[tuple[BaselineItem, Answered]], confidence: float) -> tuple[Figure, ...]:
    """Figures of the items that both runs answered."""
    both = [(old, new) for old, new in pairs if not old.error and not new.reply.error]
    found = []
    for name, (unit, of) in _FIGURES.items():
        measured = [
            (float(was), float(now), new.item.group)
            for old, new in both
            if (was := old.figures.get(name)) is not None and (now := of(new)) is not None
        ]
        if len(measured) > 1:
            befores, afters, groups = zip(*measured, strict=True)
            found.append(Figure(name, unit, paired_difference(befores, afters, confidence, groups)))
    return tuple(found)
