"""When an answer counts as right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.evaluation.quality import completed_answer, contains, is_exact, normalise


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Paris.", ("paris",)),
        ("  The  Pacific Ocean!\n", ("pacific", "ocean")),
        ("Mt. Everest", ("mt", "everest")),
        ("forty-two", ("fortytwo",)),
        ("H₂O", ("h2o",)),
        ("an a the", ("an", "a", "the")),
        ("-5 or 1.5.", ("-5", "or", "1.5")),
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


def test_a_completion_ends_where_the_answer_does() -> None:
    assert completed_answer(" Madrid\n\nQuestion: What is the capital of Peru?\nAnswer: Lima") == "Madrid"
