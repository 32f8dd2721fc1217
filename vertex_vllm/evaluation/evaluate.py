"""Evaluating one endpoint: a suite for quality, a load for speed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from vertex_vllm.errors import InferenceError
from vertex_vllm.evaluation.answer_journal import Journal, MemoryJournal
from vertex_vllm.evaluation.asking import Reply, ask
from vertex_vllm.evaluation.baseline import Baseline
from vertex_vllm.evaluation.comparison import Comparison, Terms, compare
from vertex_vllm.evaluation.limits import Budget, Limits
from vertex_vllm.evaluation.load import Load, load_metrics, put_load
from vertex_vllm.evaluation.questioning import Answered, ask_items
from vertex_vllm.evaluation.suites.suite import Suite
from vertex_vllm.inference.inference_client import EndpointClient
from vertex_vllm.load.kept_steps import KeptSteps, NoSteps
from vertex_vllm.load.load_settings import DEFAULT_LOAD, LoadSettings
from vertex_vllm.load.samples import Sample

CONCURRENCY = 4
_WARM_UP_TOKENS = 64
ANSWER_SECONDS = 120.0
"""Longest wait for the next byte of an answer: a longer stall counts as a refusal."""


@dataclass(frozen=True)
class Thresholds:
    """Figures that an endpoint must reach; 0: no threshold."""

    min_exact_match: float = 0.0
    """Share of right answers, 0 to 1."""
    max_p95_time_to_first_token_seconds: float = 0.0
    """95th percentile of the load's requests."""
    min_tokens_per_second: float = 0.0
    """Median over the load's requests, each by itself."""


@dataclass(frozen=True)
class Subject:
    """The endpoint under evaluation and what it serves."""

    endpoint: str
    """Resource name."""
    chat: bool
    """Asked through chat completions; False: through predict, with completions."""
    deployment: str = ""
    run: str = ""
    """Resource name of the pipeline job; empty: none."""
    model_id: str = ""
    commit: str = ""
    """Of the weights; empty: not known."""
    price: str = ""
    """US dollars an hour, in words; empty: not known."""
    machine: str = ""
    """Machine, accelerators and region, in words; empty: not known."""
    image: str = ""
    """Container image; empty: not known."""


@dataclass(frozen=True)
class Asking:
    """How the suite is asked, and what it is compared with."""

    suite: Suite
    concurrency: int = CONCURRENCY
    """Questions under way at once."""
    terms: Terms = field(default_factory=Terms)
    limits: Limits = field(default_factory=Limits)
    baseline: Baseline | None = None
    """The evaluation that this one is compared with; None: none."""
    no_baseline: str = ""
    """Why there is no baseline, one sentence; empty: there is one."""
    load: LoadSettings = DEFAULT_LOAD
    """A closed loop has the suite's concurrency."""


@dataclass(frozen=True)
class Evaluation:
    """Answers and measurements of an endpoint, and their comparison with the baseline."""

    subject: Subject
    started_at: str
    """UTC, ISO 8601."""
    thresholds: Thresholds
    asking: Asking
    answers: tuple[Answered, ...]
    """In the suite's order."""
    load: Load
    stopped: str = ""
    """Why not all items were asked; empty: all were."""
    comparison: Comparison | None = None
    """None: there is no baseline, or it has an answer to none of the questions."""


def evaluate_endpoint(
    subject: Subject,
    thresholds: Thresholds,
    asking: Asking,
    journal: Journal | None = None,
    kept_load: Callable[[LoadSettings], KeptSteps] = lambda settings: NoSteps(),
) -> Evaluation:
    """Asks the suite, measures under load, and compares with the baseline. The gates judge the result.

    `kept_load`: steps of a load with these settings that an earlier attempt finished.
    Failed requests are recorded one by one; after GIVE_UP_AFTER in a row the endpoint is not asked any further.
    Raises InputError for limits that cannot be kept, ServiceError without credentials.
    """
    client = EndpointClient(subject.endpoint, answer_seconds=ANSWER_SECONDS)
    journal = journal or MemoryJournal(subject.endpoint, datetime.now(UTC).isoformat(timespec="seconds"))
    budget = Budget(asking.limits, concurrency=asking.concurrency)
    _warm_up(client, subject.chat)
    answers = ask_items(client, subject.chat, asking.suite.items, asking.concurrency, journal, budget)
    asked_all = len(answers) == len(asking.suite.items)
    # An endpoint that was given up is not put under load.
    load = _under_load(subject, asking, budget, kept_load) if _any_answer(answers) else Load()
    return Evaluation(
        subject=subject,
        started_at=journal.started_at,
        thresholds=thresholds,
        asking=asking,
        answers=answers,
        load=load,
        stopped="" if asked_all else budget.stopped,
        comparison=compare(asking.baseline, answers, subject.commit, asking.terms) if asking.baseline else None,
    )


def metrics_of(evaluation: Evaluation) -> dict[str, float]:
    """Name → figure. A figure that could not be measured is absent, never zero."""
    answers, compared = evaluation.answers, evaluation.comparison
    asked: list[Reply | Sample] = [*(answered.reply for answered in answers), *evaluation.load.measured]
    figures = {"questions": float(len(answers))}
    if answers:
        figures["exact_match"] = sum(answered.right for answered in answers) / len(answers)
    figures["failed_requests"] = float(sum(bool(each.error) for each in asked))
    figures["empty_answers"] = float(sum(not each.reply.error and not each.answer for each in answers))
    if compared is not None:
        figures |= {
            "compared_questions": float(compared.items),
            "lost_answers": float(len(compared.lost)),
            "gained_answers": float(len(compared.gained)),
            "changed_answers": len(compared.changed) / compared.items,
            "changed_answers_at_least": compared.changed_at_least,
            "drop": compared.drop,
            "drop_at_most": compared.high,
            "worse_p_value": compared.p_value,
        }
    return figures | load_metrics(evaluation.load)


def require_answers(evaluation: Evaluation) -> None:
    """Raises InferenceError where no question was answered at all, and where the load could not be measured.

    A load for which the caps left no room says nothing of the endpoint: that is for the gates.
    """
    _require_any([answered.reply for answered in evaluation.answers])
    if evaluation.load.failure and not evaluation.load.capped:
        raise InferenceError(f"The load could not be measured: {evaluation.load.failure}")


def _under_load(
    subject: Subject, asking: Asking, budget: Budget, kept_load: Callable[[LoadSettings], KeptSteps]
) -> Load:
    """Measures the load with what the questions leave of every cap."""
    settings, price = replace(asking.load, concurrency=asking.concurrency), asking.limits.usd_per_hour
    if reason := budget.cap_reached:
        return Load(failure=reason, usd_per_hour=price, capped=True)
    kept = kept_load(settings)
    return put_load(subject.endpoint, subject.chat, settings, price, kept, ANSWER_SECONDS, budget.left())


def _warm_up(client: EndpointClient, chat: bool) -> None:
    """Sends a request that is not measured: a server compiles and fills caches at its first."""
    text = "Describe an island in a few sentences."
    ask(client, ({"role": "user", "content": text},) if chat else text, _WARM_UP_TOKENS)


def _any_answer(answers: tuple[Answered, ...]) -> bool:
    return any(not answered.reply.error for answered in answers)


def _require_any(replies: list[Reply]) -> None:
    errors = [reply.error for reply in replies if reply.error]
    if errors and len(errors) == len(replies):
        raise InferenceError(f"None of {len(replies)} requests was answered; the first: {errors[0]}")
