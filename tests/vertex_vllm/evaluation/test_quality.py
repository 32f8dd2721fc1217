"""When an answer counts as right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.evaluation.quality import (
    Question,
    chat_prompt,
    completed_answer,
    completion_prompt,
    contains,
    is_exact,
    load_questions,
    normalise,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Paris.", ("paris",)),
        ("  The  Pacific Ocean!\n", ("pacific", "ocean")),
        ("Mt. Everest", ("mt", "everest")),
        ("forty-two", ("fortytwo",)),
        ("H₂O", ("h2o",)),
        ("an a the", ()),
        ("«Tokyo»", ("tokyo",)),
        # An article inside a word is no article.
        ("Athens", ("athens",)),
    ],
)
def test_what_is_compared(text: str, words: tuple[str, ...]) -> None:
    assert normalise(text) == words


@pytest.mark.parametrize(
    ("answer", "accepted", "exact", "contained"),
    [
        ("Paris", ["Paris"], True, True),
        ("paris.", ["Paris"], True, True),
        ("The capital of France is Paris.", ["Paris"], False, True),
        ("Parisian", ["Paris"], False, False),
        ("Everest", ["Mount Everest", "Everest"], True, True),
        ("It is Mount Everest, of course", ["Mount Everest"], False, True),
        ("Everest, a mount", ["Mount Everest"], False, False),
        ("42", ["4"], False, False),
        ("", ["Paris"], False, False),
    ],
)
def test_exact_and_contained(answer: str, accepted: list[str], exact: bool, contained: bool) -> None:
    assert (is_exact(answer, accepted), contains(answer, accepted)) == (exact, contained)


@given(st.text(), st.lists(st.text(), min_size=1))
def test_an_exact_answer_contains_itself(answer: str, accepted: list[str]) -> None:
    assert contains(answer, accepted) or not is_exact(answer, accepted)


@pytest.mark.parametrize("question", load_questions(), ids=lambda question: question.id)
def test_every_shipped_question_can_be_answered_right(question: Question) -> None:
    assert all(normalise(right) for right in question.accepted)
    assert not contains(completion_prompt(question), question.accepted), "the prompt gives the answer away"


def test_the_shipped_questions_are_distinct_and_cover_each_category_well() -> None:
    questions = load_questions()
    assert len({question.id for question in questions}) == len(questions) >= 20
    categories = [question.category for question in questions]
    assert all(categories.count(category) >= 5 for category in categories)


def test_a_chat_shows_the_form_of_an_answer_and_ends_with_the_question() -> None:
    messages = chat_prompt(Question("one", "geography", "What is the capital of Spain?", ("Madrid",)))
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[-1]["content"].startswith("What is the capital of Spain?\n")


def test_a_completion_ends_where_the_answer_does() -> None:
    question = Question("one", "geography", "What is the capital of Spain?", ("Madrid",))
    assert completion_prompt(question).endswith("Question: What is the capital of Spain?\nAnswer:")
    assert completed_answer(" Madrid\n\nQuestion: What is the capital of Peru?\nAnswer: Lima") == "Madrid"
