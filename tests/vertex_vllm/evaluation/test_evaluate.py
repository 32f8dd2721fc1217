"""An evaluation of a served model, from the first question to the report."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.prepared import with_serving_account
from tests.vertex_vllm.served_models import Vertex, serving_plan, teach
from vertex_vllm.errors import GateError, InferenceError
from vertex_vllm.evaluation.evaluate import Thresholds, evaluate_endpoint, metrics_of
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.gates import require
from vertex_vllm.evaluation.quality import Question


@pytest.fixture(scope="module")
def endpoint(cloud: Any) -> Iterator[str]:
    teach(cloud)
    in_vertex = Vertex(with_serving_account(f"test-{uuid.uuid4().hex[:12]}"))
    yield in_vertex.deploy(serving_plan())
    in_vertex.clear()


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_the_shipped_questions_and_a_load(endpoint: str, chat: bool) -> None:
    evaluation = evaluate_endpoint(endpoint, chat, Thresholds(), "demo", 2)
    metrics = metrics_of(evaluation)
    # The model server knows France and sums, and answers for Japan in a whole sentence.
    right = {answered.question.id for answered in evaluation.answers if answered.exact}
    contained = {answered.question.id for answered in evaluation.answers if answered.contains}
    assert right == {"capital-of-france", "sum-of-two"}
    assert contained == right | {"capital-of-japan"}
    assert (metrics["exact_match"], metrics["contains"], metrics["failed_requests"]) == (0.1, 0.15, 0.0)
    assert (metrics["load_concurrency"], metrics["load_requests"]) == (2.0, 6.0)
    assert ("time_to_first_token_p95_seconds" in metrics, "tokens_per_second_p50" in metrics) == (chat, chat)
    assert "Paris." in render(evaluation)


def test_a_missed_threshold_fails_with_the_figures_at_hand(endpoint: str) -> None:
    evaluation = evaluate_endpoint(endpoint, True, Thresholds(min_exact_match=0.5), "demo")
    with pytest.raises(GateError, match=r"demo: exact_match: have 0\.1, need at least 0\.5"):
        require(evaluation)


def question(text: str) -> Question:
    return Question(text, "refusals", text, ("Paris",))


def test_a_question_that_is_refused_is_recorded_and_counts_as_wrong(endpoint: str) -> None:
    questions = [question("refuse 500 the capital of France"), question("What is the capital of France?")]
    evaluation = evaluate_endpoint(endpoint, True, Thresholds(), questions=questions)
    refused, answered = evaluation.answers
    assert "HTTP 500: as you wished: the capital of France" in refused.reply.error
    assert (refused.exact, refused.contains, answered.exact) == (False, False, True)
    assert metrics_of(evaluation)["exact_match"] == 0.5


@pytest.mark.parametrize("how", ["think first", "think aloud"])
def test_a_model_that_thinks_gets_tokens_for_its_answer_and_the_answer_is_compared(endpoint: str, how: str) -> None:
    asked = question(f"What is the capital of France? {how}")
    (answered,) = evaluate_endpoint(endpoint, True, Thresholds(), questions=[asked]).answers
    assert (answered.answer, answered.exact) == ("Paris.", True)
    assert "Let me see what that may be." in answered.reply.reasoning


def test_an_endpoint_that_answers_nothing_is_not_evaluated(endpoint: str) -> None:
    with pytest.raises(InferenceError, match=r"None of 1 requests was answered; the first: .*HTTP 500"):
        evaluate_endpoint(endpoint, True, Thresholds(), questions=[question("refuse 500 all")])
