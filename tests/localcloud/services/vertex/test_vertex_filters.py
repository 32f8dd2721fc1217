import contextlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.vertex_filters import Filter, Restriction, parse_filter

FIELDS = {"display_name", "endpoint"}

UNDERSTOOD = {
    "": (),
    "   ": (),
    'display_name="a car"': (Restriction("display_name", "", "=", "a car"),),
    "displayName=car": (Restriction("display_name", "", "=", "car"),),
    'display_name != "car"': (Restriction("display_name", "", "!=", "car"),),
    r'display_name="a \"quoted\" car"': (Restriction("display_name", "", "=", 'a "quoted" car'),),
    "endpoint=123": (Restriction("endpoint", "", "=", "123"),),
    "labels.team=blue": (Restriction("labels", "team", "=", "blue"),),
    'labels.vertex-vllm-run="run_1"': (Restriction("labels", "vertex-vllm-run", "=", "run_1"),),
    "labels.myKey=x": (Restriction("labels", "myKey", "=", "x"),),
    'labels."a key"=x': (Restriction("labels", "a key", "=", "x"),),
    "labels.team:*": (Restriction("labels", "team", ":", ""),),
    "labels:team": (Restriction("labels", "team", ":", ""),),
    "labels.team=blue AND labels.stage:*": (
        Restriction("labels", "team", "=", "blue"),
        Restriction("labels", "stage", ":", ""),
    ),
}

REFUSED = [
    "labels.a=b OR labels.c=d",
    "NOT labels.a:*",
    "-labels.a:*",
    "(labels.a=b)",
    "labels.a=b labels.c=d",
    "labels.a=b AND",
    "AND",
    "labels",
    "labels=a",
    "labels.a",
    "labels.a!=b",
    "labels.a:b",
    "labels:*",
    "display_name",
    "display_name:car",
    "display_name=",
    "display_name>car",
    'display_name="car',
    'display_name=!"car"',
    "create_time=1",
    "'car'",
]


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_understood(text: str) -> None:
    assert parse_filter(text, FIELDS) == Filter(UNDERSTOOD[text])


@pytest.mark.parametrize("text", REFUSED)
def test_everything_else_is_an_invalid_argument(text: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_filter(text, FIELDS)
    assert refusal.value.code == "INVALID_ARGUMENT"
    assert text in refusal.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("display_name=car", True),
        ("display_name!=car", False),
        ("display_name=bus", False),
        ("labels.team=blue AND display_name=car", True),
        ("labels.team=red", False),
        ("labels.team:*", True),
        ("labels.stage:*", False),
        ("labels.stage=", None),
        ("labels.empty=live", False),
    ],
)
def test_matches(text: str, expected: bool | None) -> None:
    fields: Mapping[str, str] = {"display_name": "car", "endpoint": "1"}
    if expected is None:
        with pytest.raises(ApiError):
            parse_filter(text, FIELDS)
    else:
        assert parse_filter(text, FIELDS).matches(fields, {"team": "blue", "empty": ""}) is expected


_PIECES = st.sampled_from(
    ["labels", ".", "team", "=", "!=", ":", "*", '"', "\\", " ", "AND", "OR", "display_name", "(", ")", "ä", "\n", "-"]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=12).map("".join)))
def test_any_text_is_a_filter_or_an_invalid_argument(text: str) -> None:
    # Whatever else it raises would be an error of the service's own, 500 to its caller.
    with contextlib.suppress(ApiError):
        assert parse_filter(text, FIELDS).matches({"display_name": "car"}, {"team": "blue"}) in {True, False}


@given(st.text())
def test_a_quoted_value_comes_back_as_it_was(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_filter(f'display_name="{quoted}"', FIELDS).matches({"display_name": value}, {})
