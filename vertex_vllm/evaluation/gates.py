"""Gates: thresholds of figures, the comparison with the baseline, and the verdict of both."""

from dataclasses import dataclass

from vertex_vllm.errors import GateError
from vertex_vllm.evaluation.comparison import Comparison
from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of
from vertex_vllm.evaluation.load import load_needs, median_speed, slowest_first_token
from vertex_vllm.evaluation.statistics.power import power_of

_TOLD_OTHERWISE = frozenset(
    {
        "questions",
        "answered_questions",
        "load_requests",
        "compared_questions",
        "drop_at_most",
        "worse_categories",
        "changed_answers_at_least",
        "changed_categories",
    }
)
"""Gates that have sentences of their own in the verdict."""


@dataclass(frozen=True)
class Gate:
    figure: str
    """Name of the metric."""
    have: float | None
    """None where it could not be measured."""
    need: float
    at_least: bool
    """False: at most."""

    @property
    def passed(self) -> bool:
        if self.have is None:
            return False
        return self.have >= self.need if self.at_least else self.have <= self.need

    def __str__(self) -> str:
        have = "not measured" if self.have is None else f"{self.have:.4g}"
        return f"{self.figure}: have {have}, need at {'least' if self.at_least else 'most'} {self.need:.4g}"


def gates_of(evaluation: Evaluation) -> tuple[Gate, ...]:
    """A gate per threshold that is set, then those of the comparison."""
    metrics, thresholds, load = metrics_of(evaluation), evaluation.thresholds, evaluation.load
    first_token, speed = thresholds.max_p95_time_to_first_token_seconds, thresholds.min_tokens_per_second
    gates = []
    if thresholds.min_exact_match:
        gates.append(Gate("exact_match", metrics.get("exact_match"), thresholds.min_exact_match, True))
    if first_token:
        gates.append(Gate("time_to_first_token_p95_seconds", slowest_first_token(load, 95), first_token, False))
    if speed:
        gates.append(Gate("tokens_per_second_p50", median_speed(load), speed, True))
    gates += [Gate(*need) for need in load_needs(evaluation.load)]
    if load.failure:
        gates.append(Gate("load_requests", None, 1.0, True))
    if evaluation.answers and all(answered.reply.error for answered in evaluation.answers):
        gates.append(Gate("answered_questions", 0.0, 1.0, True))
    if evaluation.stopped:
        gates.append(Gate("questions", metrics["questions"], float(len(evaluation.asking.suite.items)), True))
    if evaluation.asking.baseline is not None and evaluation.comparison is None:
        gates.append(Gate("compared_questions", 0.0, 1.0, True))
    if (compared := evaluation.comparison) is not None:
        gates.append(Gate("drop_at_most", compared.high, compared.terms.allowed_regression, False))
        gates.append(Gate("worse_categories", float(len(compared.worse_parts)), 0.0, False))
        if compared.same_model:
            changed = compared.changed_at_least
            gates.append(Gate("changed_answers_at_least", changed, compared.terms.allowed_changed_answers, False))
            gates.append(Gate("changed_categories", float(len(compared.changed_parts)), 0.0, False))
    return tuple(gates)


def failed_gates(evaluation: Evaluation) -> tuple[Gate, ...]:
    return tuple(gate for gate in gates_of(evaluation) if not gate.passed)


def verdict_of(evaluation: Evaluation) -> tuple[bool, str]:
    """Whether the candidate may be promoted, and why, in sentences."""
    failed = failed_gates(evaluation)
    told = []
    if evaluation.stopped:
        asked, all_items = len(evaluation.answers), len(evaluation.asking.suite.items)
        told.append(f"Only {asked} of {all_items} questions were asked: {evaluation.stopped}.")
    if "answered_questions" in (gate.figure for gate in failed):
        told.append(f"No question was answered; the first: {evaluation.answers[0].reply.error}.")
    told += [f"{gate}." for gate in failed if gate.figure not in _TOLD_OTHERWISE]
    if load_failure := evaluation.load.failure:
        told.append(f"The load could not be measured: {load_failure.rstrip('.')}.")
    told += _compared(evaluation.comparison) if evaluation.comparison else [_not_compared(evaluation)]
    told += _shortened_load(evaluation)
    told += _failed_requests(evaluation)
    return not failed, " ".join(told)


def require(evaluation: Evaluation) -> None:
    """Raises GateError with the verdict where a gate failed."""
    passed, sentence = verdict_of(evaluation)
    if not passed:
        raise GateError(
            failed_gates(evaluation),
            message=sentence.rstrip("."),
            where=evaluation.subject.deployment or evaluation.subject.endpoint,
            fix="The report shows each answer and time; change the deployment, or the terms in its config.",
        )


def _shortened_load(evaluation: Evaluation) -> list[str]:
    result = evaluation.load.result
    if result is None or not result.ended_by:
        return []
    if result.search is not None and result.search.steps:
        return [f"{result.ended_by} ended the search for the highest rate after {len(result.search.steps)} rates."]
    return [f"{result.ended_by} ended the load after {result.figures.requests} measured requests."]


def _failed_requests(evaluation: Evaluation) -> list[str]:
    """Reported even if the load has no gate: without its failed requests an endpoint looks better than it is."""
    figures = evaluation.load.result.figures if evaluation.load.result else None
    if figures is None or not figures.failed:
        return []
    often = next(iter(figures.errors))
    return [f"{figures.failed} of {figures.requests} requests of the load failed, most often with: {often}."]


def _not_compared(evaluation: Evaluation) -> str:
    if evaluation.asking.baseline is not None:
        return (
            "The baseline has an answer to none of these questions, so nothing was compared. To accept a run on "
            "another suite, set evaluation.baseline to none for it."
        )
    return evaluation.asking.no_baseline or "There is no baseline, so nothing was compared."


def _compared(compared: Comparison) -> list[str]:
    """The comparison in sentences: right and wrong first, then changed answers."""
    terms = compared.terms
    counted = (
        f"{len(compared.lost)} answers were lost and {len(compared.gained)} gained among {compared.items} questions; "
        f"with {terms.confidence:.0%} confidence the drop is at most {_points(compared.high)}, "
        f"allowed are {_points(terms.allowed_regression)}"
    )
    if compared.verdict == "not worse":
        whole = "Not worse than the baseline" if compared.passed else "Not worse than the baseline as a whole"
        told = [f"{whole}: {counted}."]
    elif compared.verdict == "worse":
        told = [f"Worse than the baseline (exact test, p = {compared.p_value:.2g}): {counted}."]
    else:
        needed = power_of(compared.items, compared.clusters, terms.allowed_regression, terms.confidence).items_needed
        told = [
            f"Undecided: {counted}, and the exact test shows no drop (p = {compared.p_value:.2g}).",
            f"Ask at least {needed} independent questions, or allow a larger regression." if needed else "",
        ]
    if not compared.unchanged:
        told.append(
            f"The same model answers otherwise: {len(compared.changed)} of {compared.items} answers changed, with "
            f"{terms.confidence:.0%} confidence at least {compared.changed_at_least:.0%} of all, allowed are "
            f"{terms.allowed_changed_answers:.0%}."
        )
    if compared.left_out:
        told.append(
            f"{compared.left_out} of {compared.items + compared.left_out} questions were left out, since the baseline "
            "has no answer to them."
        )
    if compared.baseline_share <= terms.allowed_regression:
        told.append(
            f"The baseline answers only {compared.baseline_share:.1%} right, so no loss above the allowed one could be "
            "seen: ask lower levels, or allow less."
        )
    return [sentence for sentence in (*told, *_parts(compared)) if sentence]


def _parts(compared: Comparison) -> list[str]:
    worse = [
        f"{part.category} ({part.lost} lost, {part.gained} gained of {part.items})" for part in compared.worse_parts
    ]
    changed = [f"{part.category} ({part.changed} of {part.items})" for part in compared.changed_parts]
    told = [f"Worse in {', '.join(worse)}."] if worse else []
    return [*told, *([f"The same model answers otherwise in {', '.join(changed)}."] if changed else [])]


def _points(share: float) -> str:
    """A difference of shares in percentage points."""
    return f"{share * 100:.1f} points"
