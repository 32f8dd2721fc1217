"""Evaluating one endpoint: questions for quality, a load for speed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from vertex_vllm.errors import InferenceError
from vertex_vllm.evaluation.asking import Prompt, Reply, ask_all
from vertex_vllm.evaluation.load import Load, percentile, put_load, warm_up
from vertex_vllm.evaluation.quality import (
    Question,
    chat_prompt,
    completed_answer,
    completion_prompt,
    contains,
    is_exact,
    load_questions,
)
from vertex_vllm.inference.inference_client import EndpointClient

ANSWER_TOKENS = 32
# For models that think before they answer: published evaluations of such models give thousands; short questions take
# some hundreds.
THINKING_TOKENS = 2048
CONCURRENCY = 4


@dataclass(frozen=True)
class Thresholds:
    """What an endpoint must reach; 0 stands for no threshold."""

    min_exact_match: float = 0.0
    """Share of questions, 0 to 1."""
    max_p95_time_to_first_token_seconds: float = 0.0
    min_tokens_per_second: float = 0.0
    """Median over the load's requests, each by itself."""


@dataclass(frozen=True)
class Answered:
    question: Question
    answer: str
    """What is compared: the reply of a chat model without its thoughts, the first line of a completion."""
    exact: bool
    contains: bool
    reply: Reply


@dataclass(frozen=True)
class Evaluation:
    endpoint: str
    deployment: str
    chat: bool
    started_at: str
    """UTC, ISO 8601."""
    thresholds: Thresholds
    answers: tuple[Answered, ...]
    load: Load

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "metrics": metrics_of(self)}, indent=2, ensure_ascii=False) + "\n"


def evaluate_endpoint(
    endpoint_name: str,
    chat: bool,
    thresholds: Thresholds,
    deployment: str = "",
    concurrency: int = CONCURRENCY,
    questions: Sequence[Question] = (),
) -> Evaluation:
    """Asks `questions` (by default the set that ships), then measures under load; whether it suffices is for the gates.

    Single refusals are recorded. Raises InferenceError where no question or no request of the load is answered at all.
    """
    client, started_at = EndpointClient(endpoint_name), datetime.now(UTC)
    warm_up(client, chat)
    answers = _ask_questions(client, chat, concurrency, questions or load_questions())
    _require_any([answered.reply for answered in answers])
    load = put_load(client, chat, concurrency)
    _require_any(load.replies)
    return Evaluation(
        endpoint=endpoint_name,
        deployment=deployment,
        chat=chat,
        started_at=started_at.isoformat(timespec="seconds"),
        thresholds=thresholds,
        answers=answers,
        load=load,
    )


def metrics_of(evaluation: Evaluation) -> dict[str, float]:
    """Name → figure. A figure that could not be measured is absent, never zero."""
    answers, load = evaluation.answers, evaluation.load
    replies = [*(answered.reply for answered in answers), *load.replies]
    figures = {
        "questions": float(len(answers)),
        "exact_match": sum(answered.exact for answered in answers) / len(answers),
        "contains": sum(answered.contains for answered in answers) / len(answers),
        "failed_requests": float(sum(bool(reply.error) for reply in replies)),
        "load_concurrency": float(load.concurrency),
        "load_requests": float(len(load.replies)),
    }
    done = [reply for reply in load.replies if not reply.error]
    first_tokens = [reply.first_token_seconds for reply in done if reply.first_token_seconds is not None]
    speeds = [reply.tokens_per_second for reply in done if reply.tokens_per_second is not None]
    figures |= _percentiles("latency", "_seconds", [reply.seconds for reply in done])
    figures |= _percentiles("time_to_first_token", "_seconds", first_tokens)
    figures |= _percentiles("tokens_per_second", "", speeds)
    if load.output_tokens_per_second is not None:
        figures["load_output_tokens_per_second"] = load.output_tokens_per_second
    if load.input_tokens_per_second is not None:
        figures["load_input_tokens_per_second"] = load.input_tokens_per_second
    return figures


def _percentiles(name: str, unit: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p{percent}{unit}": percentile(values, percent) for percent in (50, 95) if values}


def _ask_questions(
    client: EndpointClient, chat: bool, concurrency: int, questions: Sequence[Question]
) -> tuple[Answered, ...]:
    prompts: list[Prompt] = [chat_prompt(asked) if chat else completion_prompt(asked) for asked in questions]
    replies = ask_all(client, prompts, ANSWER_TOKENS, concurrency)
    if any(reply.thought_only for reply in replies):
        replies = _asked_with_room(client, prompts, concurrency)
    return tuple(judge(question, reply, chat) for question, reply in zip(questions, replies, strict=True))


def _asked_with_room(client: EndpointClient, prompts: Sequence[Prompt], concurrency: int) -> tuple[Reply, ...]:
    """Replies of a model that thinks before it answers, and had no tokens left for the answer.

    A context that is shorter than so many tokens refuses them: without a limit an answer takes what is left of it.
    """
    replies = ask_all(client, prompts, THINKING_TOKENS, concurrency)
    return ask_all(client, prompts, None, concurrency) if any(reply.error for reply in replies) else replies


def judge(question: Question, reply: Reply, chat: bool) -> Answered:
    """A request that failed is an answer that is not right."""
    answer = reply.text.strip() if chat else completed_answer(reply.text)
    answered = not reply.error
    return Answered(
        question=question,
        answer=answer,
        exact=answered and is_exact(answer, question.accepted),
        contains=answered and contains(answer, question.accepted),
        reply=reply,
    )


def _require_any(replies: Sequence[Reply]) -> None:
    errors = [reply.error for reply in replies if reply.error]
    if errors and len(errors) == len(replies):
        raise InferenceError(f"None of {len(replies)} requests was answered; the first: {errors[0]}")
