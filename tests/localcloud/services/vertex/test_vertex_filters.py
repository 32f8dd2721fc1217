"""Filters of lists of models and endpoints: the supported part of the language, and refusals of the rest."""

from contextlib import suppress
from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import Endpoint
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.answer_pages import ResourceFilter

FIELDS = {
    "display_name": lambda endpoint: str(endpoint.display_name),
    "endpoint": lambda endpoint: str(endpoint.name).rpartition("/")[2],
}
LABELS = {"team": "blue", "myKey": "x", "vertex-vllm-run": "run_1", "a key": "x", "empty": ""}

HOLDS = {
    "": True,
    "   ": True,
    'display_name="a car"': True,
    'displayName="a car"': True,
    'display_name != "a car"': False,
    "display_name=bus": False,
    "display_name!=bus": True,
    "endpoint=123": True,
    # No page says that a value may hold wildcards.
    'display_name="a*"': False,
    "labels.team=blue": True,
    "labels.team=red": False,
    'labels.vertex-vllm-run="run_1"': True,
    "labels.myKey=x": True,
    'labels."a key"=x': True,
    "labels.team:*": True,
    "labels.stage:*": False,
    "labels:team": True,
    "labels:stage": False,
    "labels.empty=live": False,
    "labels.team=blue AND labels.empty:*": True,
    'labels.team=blue AND display_name="a car" AND endpoint=7': False,
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
    "labels.a=",
    "labels.a!=b",
    "labels.a:b",
    "labels:*",
    "display_name",
    "display_name:car",
    "display_name=",
    "display_name>car",
    "display_name='car'",
    'display_name="car',
    'display_name=!"car"',
    "create_time=1",
    "'car'",
]


def endpoint(display_name: str = "a car") -> Any:
    return Endpoint.pb()(name="projects/1/locations/r/endpoints/123", display_name=display_name, labels=LABELS)


@pytest.mark.parametrize(("text", "expected"), HOLDS.items())
def test_fields_and_labels_are_compared(text: str, expected: bool) -> None:
    assert ResourceFilter(text, FIELDS).whole()(endpoint()) is expected


@pytest.mark.parametrize("text", REFUSED)
def test_everything_else_is_an_invalid_argument(text: str) -> None:
    with pytest.raises(ApiError) as refusal:
        ResourceFilter(text, FIELDS).whole()
    assert (refusal.value.code, refusal.value.message[:14]) == ("INVALID_ARGUMENT", "Invalid filter")


_PIECES = st.sampled_from(
    ["labels", ".", "team", "=", "!=", ":", "*", '"', "\\", " ", "AND", "OR", "display_name", "(", ")", "ä", "\n", "-"]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=12).map("".join)))
def test_any_text_is_a_filter_or_an_invalid_argument(text: str) -> None:
    # Any other exception would be an error of the service itself, 500 to its caller.
    with suppress(ApiError):
        assert ResourceFilter(text, FIELDS).whole()(endpoint()) in {True, False}


@given(st.text(st.characters(codec="utf-8")))
def test_a_quoted_value_comes_back_as_it_was(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert ResourceFilter(f'display_name="{quoted}"', FIELDS).whole()(endpoint(value))
