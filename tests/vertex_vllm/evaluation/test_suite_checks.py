"""When an answer is right, kind by kind."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from vertex_vllm.evaluation.suites.checks import MOST_CHARACTERS, Check, compared

CHECK: TypeAdapter[Check] = TypeAdapter(Check)

EXACT = {"kind": "exact", "accepted": ["Paris", "City of Light"]}
INCLUDES = {"kind": "includes", "all_of": ["red"], "any_of": ["cat", "dog"]}
REGEX = {"kind": "regex", "pattern": r"[A-Z]{3}-\d+"}
CHOICE = {"kind": "choice", "options": ["Rome", "Oslo", "Lima"], "right_option": 1}
NUMBER = {"kind": "number", "value": 1234.5, "tolerance": 0.5}
RELATIVE = {"kind": "number", "value": 1000, "relative": 0.01}
SCHEMA = {
    "kind": "json_schema",
    "schema": {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "integer"}, "b": {"type": "string", "pattern": "^x+$"}},
    },
}
FORM = {"kind": "form", "words": 3, "case": "lower", "begins": "a", "ends": "c", "excludes": ["z"]}


@pytest.mark.parametrize(
    ("check", "answer", "right"),
    [
        (EXACT, "paris.", True),
        (EXACT, "The City of Light", True),
        (EXACT, "Paris is the capital", False),
        (EXACT, "", False),
        (INCLUDES, "A red dog, and more", True),
        (INCLUDES, "A reddish dog", False),
        (INCLUDES, "A red bird", False),
        (REGEX, " ABC-12 ", True),
        (REGEX, "ABC-12!", False),
        (CHOICE, "B", True),
        (CHOICE, "b) Oslo", True),
        (CHOICE, "Answer: B", True),
        (CHOICE, "(B)", True),
        (CHOICE, "It is Oslo", True),
        (CHOICE, "A", False),
        (CHOICE, "Rome or Oslo", False),
        (CHOICE, "Bergen", False),
        (CHOICE, "", False),
        (NUMBER, "1,234.9", True),
        (NUMBER, "1'234", True),
        (NUMBER, "12 + 3 = 1234.5.", True),
        (NUMBER, "1235.1", False),
        (NUMBER, "-1234.5", False),
        (NUMBER, "none", False),
        (RELATIVE, "992", True),
        (RELATIVE, "985", False),
        (SCHEMA, '{"a": 1}', True),
        (SCHEMA, '```json\n{"a": 1, "b": "xx"}\n```', True),
        (SCHEMA, '{"a": 1, "b": "xy"}', False),
        (SCHEMA, '{"a": "1"}', False),
        (SCHEMA, 'Here it is: {"a": 1}', False),
        (SCHEMA, "[" * 5000, False),
        (FORM, "a b c", True),
        (FORM, "a B c", False),
        (FORM, "a b c d", False),
        (FORM, "a z c", False),
        (FORM, "", False),
    ],
)
def test_right_answers(check: dict[str, Any], answer: str, right: bool) -> None:
    assert CHECK.validate_python(check).right(answer) is right


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ({"kind": "exact", "accepted": []}, "at least 1 item"),
        ({"kind": "includes"}, "name at least one text"),
        ({"kind": "regex", "pattern": "(a"}, "is not an RE2 pattern: missing )"),
        ({"kind": "regex", "pattern": r"(a)\1"}, "is not an RE2 pattern"),
        ({"kind": "regex", "pattern": "((a{100}){100}){100}"}, "is not an RE2 pattern"),
        ({"kind": "choice", "options": ["a", "b"], "right_option": 2}, "must be below 2"),
        ({"kind": "choice", "options": ["a b", "A b."], "right_option": 0}, "two options are the same"),
        ({"kind": "number", "value": float("nan")}, "finite"),
        ({"kind": "json_schema", "schema": {"type": "text"}}, "is not a JSON schema"),
        ({"kind": "json_schema", "schema": {"$ref": "https://example.com/s.json"}}, "must stay inside the schema"),
        ({"kind": "json_schema", "schema": {"pattern": "(?=a)"}}, "is not an RE2 pattern"),
        ({"kind": "code", "run": "print(1)"}, "does not match any of the expected tags"),
        ({"kind": "exact", "accepted": ["a"], "strict": True}, "Extra inputs"),
    ],
)
def test_checks_that_cannot_be(check: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        CHECK.validate_python(check)
    assert told in str(raised.value)


@pytest.mark.parametrize("check", [EXACT, INCLUDES, REGEX, CHOICE, NUMBER, SCHEMA, FORM], ids=lambda each: each["kind"])
@given(answer=st.text(max_size=200))
def test_any_answer_is_judged_and_compared(check: dict[str, Any], answer: str) -> None:
    parsed = CHECK.validate_python(check)
    assert parsed.right(answer) in (True, False)
    assert isinstance(compared(parsed, answer), str)


@pytest.mark.parametrize("check", [REGEX, NUMBER, SCHEMA, FORM], ids=lambda each: each["kind"])
def test_an_endless_answer_is_wrong(check: dict[str, Any]) -> None:
    assert not CHECK.validate_python(check).right("1" * (MOST_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("check", "first", "second", "same"),
    [
        (CHOICE, "B", "It is Oslo.", True),
        (CHOICE, "B", "A", False),
        (NUMBER, "It is 7", "7.0", True),
        (NUMBER, "7", "8", False),
        (EXACT, "The cat", "cat!", True),
        (EXACT, "cat", "cats", False),
    ],
)
def test_the_part_of_an_answer_that_two_runs_are_told_apart_by(
    check: dict[str, Any], first: str, second: str, same: bool
) -> None:
    parsed = CHECK.validate_python(check)
    assert (compared(parsed, first) == compared(parsed, second)) is same
