"""An evaluation of a served model, from the first question to the report."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.vertex_vllm.evaluation.evaluations import FRANCE, SUM, item
from tests.vertex_vllm.served_models import own_project, serving_plan
from vertex_vllm.errors import GateError, InferenceError
from vertex_vllm.evaluation.answer_journal import Journal, MemoryJournal
from vertex_vllm.evaluation.evaluate import (
    Asking,
    Evaluation,
    Subject,
    Thresholds,
    evaluate_endpoint,
    metrics_of,
    require_answers,
)
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.gates import require, verdict_of
from vertex_vllm.evaluation.limits import GIVE_UP_AFTER, Limits
from vertex_vllm.evaluation.suites.item import Item
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.evaluation.suites.suite import Suite, part_of


@pytest.fixture(scope="module")
def endpoint(cloud: Any) -> Iterator[str]:
    with own_project(cloud) as in_vertex:
        yield in_vertex.deploy(serving_plan())


def evaluated(
    endpoint: str,
    items: Sequence[Item],
    *,
    chat: bool = True,
    thresholds: Thresholds | None = None,
    limits: Limits | None = None,
    journal: Journal | None = None,
    concurrency: int = 2,
) -> Evaluation:
    asking = Asking(Suite("mine", "Apache-2.0", tuple(items)), concurrency=concurrency, limits=limits or Limits())
    return evaluate_endpoint(Subject(endpoint, chat, "demo"), thresholds or Thresholds(), asking, journal)


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_questions_and_a_load(endpoint: str, chat: bool) -> None:
    japan = item("japan", "What is the capital of Japan?", "Tokyo")
    facts = [each for each in part_of(shipped_suite("text"), [1]).items if each.category == "facts"]
    evaluation = evaluated(endpoint, [FRANCE, SUM, japan, *facts], chat=chat)
    metrics = metrics_of(evaluation)
    # The model server has answers for France and sums, and answers for Japan in a whole sentence.
    right = {answered.item.id for answered in evaluation.answers if answered.right}
    assert {"france", "sum"} <= right
    assert "japan" not in right
    assert (metrics["questions"], metrics["failed_requests"]) == (15.0, 0.0)
    assert (metrics["load_concurrency"], metrics["load_requests"]) == (2.0, 6.0)
    assert ("time_to_first_token_p95_seconds" in metrics, "tokens_per_second_p50" in metrics) == (chat, chat)
    assert "Paris." in render(evaluation)


def test_a_missed_threshold_fails_with_the_figures_at_hand(endpoint: str) -> None:
    evaluation = evaluated(endpoint, [FRANCE, item("no", "Nobody knows?", "x")], thresholds=Thresholds(0.8))
    with pytest.raises(GateError, match=r"demo: exact_match: have 0\.5, need at least 0\.8"):
        require(evaluation)


def test_a_question_that_is_refused_is_recorded_and_counts_as_wrong(endpoint: str) -> None:
    refusing = item("refused", "refuse 500 the capital of France", "Paris")
    refused, answered = evaluated(endpoint, [refusing, FRANCE]).answers
    assert "HTTP 500: as you wished: the capital of France" in refused.reply.error
    assert (refused.right, answered.right) == (False, True)


@pytest.mark.parametrize("how", ["think first", "think aloud"])
def test_a_model_that_thinks_gets_tokens_for_its_answer_and_the_answer_is_compared(endpoint: str, how: str) -> None:
    asked = item("thinks", f"What is the capital of France? {how}", "Paris")
    (answered,) = evaluated(endpoint, [asked]).answers
    assert (answered.answer, answered.right) == ("Paris.", True)
    assert "Let me see what that may be." in answered.reply.reasoning


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("refuse 500 {}", "HTTP 500: as you wished"),
        ("break off {}", "The stream ended before the answer did"),
        ("fail half way {}", "EngineCore died"),
    ],
)
def test_an_endpoint_that_answers_nothing_is_given_up_with_a_report(endpoint: str, fault: str, told: str) -> None:
    items = [item(f"q{number}", fault.format(number), "x") for number in range(4 * GIVE_UP_AFTER)]
    evaluation = evaluated(endpoint, items)
    assert GIVE_UP_AFTER <= len(evaluation.answers) <= GIVE_UP_AFTER + 2
    passed, sentence = verdict_of(evaluation)
    assert not passed
    assert f"of {4 * GIVE_UP_AFTER} questions were asked: {GIVE_UP_AFTER} requests in a row failed" in sentence
    assert told in render(evaluation)
    with pytest.raises(InferenceError, match=told):
        require_answers(evaluation)


def test_a_request_that_the_server_does_not_take_says_nothing_of_the_endpoint(endpoint: str) -> None:
    items = [item(f"q{number}", f"refuse 400 {number}", "x") for number in range(2 * GIVE_UP_AFTER)]
    evaluation = evaluated(endpoint, [*items, FRANCE])
    assert (len(evaluation.answers), evaluation.stopped) == (2 * GIVE_UP_AFTER + 1, "")


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(requests=3), "max_requests is reached: 3 requests were sent"),
        (Limits(tokens=7), "max_tokens is reached: "),
    ],
)
def test_a_cap_stops_the_questions_and_fails_the_gate(endpoint: str, limits: Limits, told: str) -> None:
    items = [item(f"q{number}", f"What is the capital of France? ({number})", "Paris") for number in range(9)]
    evaluation = evaluated(endpoint, items, limits=limits, concurrency=1)
    assert len(evaluation.answers) < len(items)
    assert evaluation.stopped.startswith(told)
    # The load shares the caps; a load without any requests left is not a failure of the endpoint.
    require_answers(evaluation)
    passed, sentence = verdict_of(evaluation)
    assert not passed
    assert f"The load could not be measured: {told}" in sentence


def test_a_cap_on_tokens_that_the_endpoint_does_not_count_leaves_no_load(endpoint: str) -> None:
    evaluation = evaluated(endpoint, [FRANCE], chat=False, limits=Limits(tokens=10_000))
    assert (len(evaluation.answers), evaluation.stopped) == (1, "")
    assert "measured: max_tokens cannot be kept: the endpoint does not count the tokens" in verdict_of(evaluation)[1]


def test_a_cap_ends_the_load_that_the_questions_leave_room_for(endpoint: str) -> None:
    evaluation = evaluated(endpoint, [FRANCE], limits=Limits(requests=1 + 3 + 2 + 4), concurrency=2)
    assert (evaluation.stopped, evaluation.load.failure) == ("", "")
    passed, sentence = verdict_of(evaluation)
    assert passed
    assert "max_requests ended the load after 4 measured requests." in sentence
    assert "max_requests ended the load" in render(evaluation)


def test_a_second_attempt_asks_only_what_has_no_answer_yet(endpoint: str) -> None:
    items = [item(f"q{number}", f"What is the capital of France? ({number})", "Paris") for number in range(6)]
    journal = MemoryJournal(endpoint, "2026-11-30T12:00:00")
    first = evaluated(endpoint, items[:4], journal=journal)
    # Two more requests than in the earlier attempt: those of the two new questions.
    second = evaluated(endpoint, items, journal=journal, limits=Limits(requests=6))
    assert (second.stopped, second.started_at) == ("", "2026-11-30T12:00:00")
    assert second.answers[:4] == first.answers
