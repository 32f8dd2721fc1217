"""Comparisons with baselines of every kind: ties, all wrong, damaged files; the result is JSON whatever they hold."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.vertex_vllm.evaluation.evaluations import COMMIT, EVALUATION, SUITE, against, item
from vertex_vllm.errors import InputError
from vertex_vllm.evaluation.answer_journal import Page
from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.baseline import parse_baseline
from vertex_vllm.evaluation.comparison import Terms, compare
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.gates import verdict_of
from vertex_vllm.evaluation.questioning import Answered, judge
from vertex_vllm.evaluation.result import to_json

_TEXTS = st.sampled_from(["right", "wrong", "", "right. \u2028 wrong", "\x85", "😀", "RIGHT", "right\nright"])
_REPLIES = st.builds(
    lambda text, error, seconds: Reply("" if error else text, seconds, seconds / 2, seconds, 3, error=error),
    _TEXTS,
    st.sampled_from(["", "", "", "HTTP 500: died"]),
    st.sampled_from([0.0, 0.1, 5.0]),
)


def answers(replies: list[Reply]) -> tuple[Answered, ...]:
    return tuple(
        judge(item(f"q{n}", f"Number {n}?", "right", category=f"c{n % 2}"), reply, chat=True)
        for n, reply in enumerate(replies)
    )


@given(st.lists(st.tuples(_REPLIES, _REPLIES), min_size=1, max_size=12), st.sampled_from([COMMIT, "", "b" * 40]))
def test_any_two_runs_end_in_a_verdict_and_a_document(pairs: list[tuple[Reply, Reply]], commit: str) -> None:
    before, after = (answers([pair[side] for pair in pairs]) for side in (0, 1))
    candidate = replace(
        EVALUATION,
        answers=after,
        asking=replace(EVALUATION.asking, suite=replace(SUITE, items=tuple(each.item for each in after))),
    )
    compared = against(candidate, before, commit)
    passed, sentence = verdict_of(compared)
    assert sentence
    assert "nan" not in sentence.lower().split()
    json.loads(to_json(compared), parse_constant=pytest.fail)
    if before == after and passed:
        assert compared.comparison is None or compared.comparison.drop == 0


@pytest.mark.parametrize("text", ["wrong", "right"])
def test_a_run_equal_to_its_baseline(text: str) -> None:
    run = answers([Reply(text, 0.1, 0.1, 0.1, 3)] * 200)
    candidate = replace(
        EVALUATION,
        answers=run,
        asking=replace(EVALUATION.asking, suite=replace(SUITE, items=tuple(each.item for each in run))),
    )
    compared = against(candidate, run).comparison
    assert compared is not None
    assert (compared.verdict, compared.drop, compared.p_value, compared.changed) == ("not worse", 0.0, 1.0, ())


def document(**item_fields: Any) -> str:
    told = json.loads(to_json(EVALUATION))
    for row in told["items"]:
        row.update(item_fields)
    return json.dumps(told)


@pytest.mark.parametrize(
    "fields",
    [
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"first_token_seconds": "0.2"},
        {"output_tokens": [3]},
        {"right": "false"},
        {"right": None},
        {"error": None},
        {"compared": 5},
    ],
    ids=str,
)
def test_a_baseline_with_values_that_no_evaluation_writes_is_refused_with_the_item(fields: dict[str, Any]) -> None:
    (name,) = fields
    with pytest.raises(InputError, match=f"not the result of an evaluation: item france: {name}"):
        parse_baseline(document(**fields), "gs://b/result.json")


@pytest.mark.parametrize("half", ["run", "started_at", "model", "suite", "items"])
def test_half_a_character_in_a_baseline_can_be_written_down(half: str) -> None:
    told = json.loads(document(answer="\ud800", compared="\ud800") if half == "items" else document())
    if isinstance(told[half], dict):
        told[half] = dict.fromkeys(told[half], "\ud800")
    elif half != "items":
        told[half] = "\ud800"
    baseline = parse_baseline(json.dumps(told), "gs://b/result.json")
    compared = compare(baseline, EVALUATION.answers, COMMIT, Terms())
    evaluation = replace(EVALUATION, asking=replace(EVALUATION.asking, baseline=baseline), comparison=compared)
    assert to_json(evaluation).encode()
    assert render(evaluation).encode()


def test_a_baseline_that_windows_saved_is_read_or_its_encoding_named() -> None:
    assert parse_baseline(document().encode("utf-8-sig"), "gs://b/result.json").items
    for encoding in ("utf-16", "utf-16-le"):
        with pytest.raises(InputError, match="not the result of an evaluation: is in UTF-16, not in UTF-8"):
            parse_baseline(document().encode(encoding), "gs://b/result.json")


_WILD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(sorted(json.loads(to_json(EVALUATION))["items"][0])), _WILD, max_size=4))
@example({"output_tokens": 2.2e172})
@example({"seconds": -1e300})
def test_any_damaged_item_is_refused_or_compared(fields: dict[str, Any]) -> None:
    try:
        baseline = parse_baseline(document(**fields), "gs://b/result.json")
    except InputError:
        return
    asking = replace(EVALUATION.asking, baseline=baseline)
    compared = compare(baseline, EVALUATION.answers, COMMIT, Terms())
    json.loads(to_json(replace(EVALUATION, asking=asking, comparison=compared)), parse_constant=pytest.fail)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=4))
@example(["a\u2028b", "a\x85b", "a\x1eb"])
def test_a_journal_gives_back_every_answer(texts: list[str]) -> None:
    run = [
        (item(f"q{n}", f"Number {n}?", "right"), Reply(text, 0.1, reasoning=text, error=""))
        for n, text in enumerate(texts)
    ]
    page = Page("endpoint", "2026-12-01T00:00:00+00:00")
    for each, reply in run:
        page.put(each, reply)
    again = Page.read(page.text(), "endpoint", "later")
    assert [again.replies.get((each.id, each.digest)) for each, _ in run] == [reply for _, reply in run]
