"""The course of an evaluation as the report draws it."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.vertex_vllm.evaluation.evaluations import EVALUATION
from vertex_vllm.evaluation.evaluate import Evaluation
from vertex_vllm.evaluation.evaluation_course import Phase, course_of, merged
from vertex_vllm.evaluation.evaluation_report import render

START = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()


def timed(*seconds: float) -> Evaluation:
    """The questions were sent so many seconds after the start, the load a minute later."""
    answers = tuple(
        replace(each, reply=replace(each.reply, sent_at=START + after))
        for each, after in zip(EVALUATION.answers, seconds, strict=True)
    )
    assert EVALUATION.load.result is not None
    figures = replace(EVALUATION.load.result.figures, started_at="2026-11-30T12:01:00+00:00")
    load = replace(EVALUATION.load, result=replace(EVALUATION.load.result, figures=figures))
    return replace(EVALUATION, answers=answers, load=load)


def test_a_killed_attempt_is_a_gap_between_the_questions() -> None:
    assert course_of(timed(0.0, 0.5, 30.0, 31.0)) == (
        Phase("questions", ((START, START + 1.1), (START + 30, START + 31.1)), (START + 31,)),
        Phase("load, 2 at once", ((START + 60, START + 64),)),
    )


def test_moments_that_are_not_known_are_not_drawn() -> None:
    assert course_of(EVALUATION) == ()
    assert "Timeline" not in render(EVALUATION)
    assert "Course of the evaluation" in render(timed(0.0, 0.5, 30.0, 31.0))


def test_spans_in_any_order_are_merged_where_they_touch() -> None:
    assert merged([(5, 6), (0, 3), (1, 2), (3.5, 4)]) == ((0, 6),)
    assert merged([(0, 1), (9, 10)]) == ((0, 1), (9, 10))
    assert merged([]) == ()
