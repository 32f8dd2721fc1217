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
        ({"kind": "json_schema", "schema": {"$ref": "#/$defs/gone"}}, "leads to no schema inside"),
        ({"kind": "json_schema", "schema": {"$dynamicRef": "#gone"}}, "leads to no schema inside"),
        ({"kind": "json_schema", "schema": {"$ref": "#/type", "type": "string"}}, "leads to no schema inside"),
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


GRADE = {"kind": "exact", "accepted": ["A"]}
FIVE = {"kind": "exact", "accepted": ["5"]}
PI = {"kind": "exact", "accepted": ["3.14"]}
THOUSAND = {"kind": "exact", "accepted": ["1,000"]}
AREA = {"kind": "number", "value": 5}
HALF = {"kind": "number", "value": 0.5}
MILLION = {"kind": "number", "value": 1_000_000}
SHAPES = {"kind": "choice", "options": ["circle", "triangle", "square"], "right_option": 1}
TEN = {"kind": "choice", "options": [f"place {number}" for number in range(10)], "right_option": 1}


@pytest.mark.parametrize(
    ("check", "answer", "right"),
    [
        # An accepted answer that is an article keeps its word; otherwise every empty answer would be right.
        (GRADE, "A", True),
        (GRADE, "a.", True),
        (GRADE, "", False),
        (GRADE, "the", False),
        ({"kind": "includes", "any_of": ["A"]}, "Grade: B", False),
        ({"kind": "includes", "any_of": ["A"]}, "Grade: A", True),
        # Signs and decimal points are part of a number.
        (FIVE, "-5", False),
        (FIVE, "5.", True),
        (FIVE, "$5", True),
        (PI, "314", False),
        (PI, "3.14.", True),
        (THOUSAND, "1000", True),
        ({"kind": "exact", "accepted": ["2024-11-30"]}, "20241130", True),
        # Units that hold digits, and numbers as people write them.
        (AREA, "5 m2", True),
        (AREA, "5 m²", True),
        (AREA, "5 km of CO2", True),
        (AREA, "m5", False),
        (AREA, "EUR5", True),
        (AREA, "x=5", True),
        (AREA, "from 3-5", True),
        (HALF, ".5", True),
        (HALF, "-.5", False),
        (HALF, "5e-1", True),
        (MILLION, "1e6", True),
        (MILLION, "1 × 10^6", True),
        (MILLION, "1.0 x 10**6 people", True),
        (MILLION, "1 000 000", True),
        (MILLION, "1\u00a0000\u00a0000", True),
        (MILLION, "1\u202f000\u202f000", True),
        (MILLION, "10,00,000", True),
        (MILLION, "1.000.000,00", True),
        # Letters of options: `A` and `I` are words, too.
        (SHAPES, "A triangle", True),
        (SHAPES, "A triangle.", True),
        (SHAPES, "A circle", False),
        (SHAPES, "A) triangle", False),
        (SHAPES, "The answer is B", True),
        (SHAPES, "The correct answer is (B).", True),
        (SHAPES, "the answer is **B**", True),
        (SHAPES, "**B**", True),
        (SHAPES, "B. triangle", True),
        (SHAPES, "B triangle", True),
        (SHAPES, "B. A is round, which does not fit.", True),
        (SHAPES, r"\boxed{B}", True),
        (SHAPES, "I would choose B.", True),
        (SHAPES, "Option B", True),
        (SHAPES, "B or C", False),
        (SHAPES, "A, B, C", False),
        (SHAPES, "A, B and C", False),
        (SHAPES, "B/C", False),
        (SHAPES, "D", False),
        (TEN, "I think it is B", True),
        (TEN, "I", False),
        # Not JSON, though Python reads it.
        ({"kind": "json_schema", "schema": {"type": "object"}}, '{"a": NaN}', False),
        ({"kind": "json_schema", "schema": {"multipleOf": 0.5}}, "1" * 400, False),
        ({"kind": "json_schema", "schema": {"$ref": "#"}}, "1", False),
        ({"kind": "json_schema", "schema": {"$ref": "#a", "$defs": {"a": {"$anchor": "a", "const": 1}}}}, "1", True),
        (SCHEMA, '```json\r\n{"a": 1}\r\n```', True),
        (SCHEMA, '```\n{"a": 1}```', True),
        (SCHEMA, '~~~json\n{"a": 1}\n~~~', True),
        (SCHEMA, '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```', False),
    ],
)
def test_answers_that_are_easily_judged_wrongly(check: dict[str, Any], answer: str, right: bool) -> None:
    assert CHECK.validate_python(check).right(answer) is right


@pytest.mark.parametrize("text", ["…", "?!", " "])
@pytest.mark.parametrize("check", ["exact", "includes"])
def test_a_text_without_letters_and_digits_cannot_be_looked_for(check: str, text: str) -> None:
    field = {"exact": "accepted", "includes": "any_of"}[check]
    with pytest.raises(ValidationError, match="has neither letters nor digits"):
        CHECK.validate_python({"kind": check, field: [text]})
