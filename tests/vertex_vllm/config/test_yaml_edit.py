"""Fields of a config file are changed in its text, and the rest of the text stays."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.config.yaml_edit import edited

FILE = """\
# The first line.
name: x
serving:
  # about arguments
  extra_args:
    - --a=1  # one
    - "--b=2"
    # about three
    - --c
  dtype: auto # what it is computed in
model: {id: a/b}
"""


@pytest.mark.parametrize(
    ("changes", "was", "becomes"),
    [
        ({"serving.dtype": "float16"}, "  dtype: auto # what", "  dtype: float16 # what"),
        ({"serving.dtype": None}, "  dtype: auto # what it is computed in\n", ""),
        ({"serving.extra_args": ["--a=1", "--c"]}, '    - "--b=2"\n', ""),
        ({"serving.extra_args": ["--a=1", "--b=2", "--c", "--d"]}, "    - --c\n", '    - --c\n    - "--d"\n'),
        ({"model.revision": "v1"}, "{id: a/b}", "{id: a/b, revision: v1}"),
        ({"serving.max_num_seqs": 4}, "computed in\n", "computed in\n  max_num_seqs: 4\n"),
        ({"google_cloud.region": "us-east4"}, "{id: a/b}\n", "{id: a/b}\ngoogle_cloud:\n  region: us-east4\n"),
        ({"serving.image": None}, "", ""),
    ],
)
def test_only_the_field_changes(changes: dict[str, Any], was: str, becomes: str) -> None:
    assert edited(FILE, changes) == FILE.replace(was, becomes, 1)


def test_a_section_that_would_be_empty_goes_with_its_last_field() -> None:
    text = "name: x\nserving:\n  extra_args: [--a]\nkeep_endpoint: false\n"
    assert edited(text, {"serving.extra_args": None}) == "name: x\nkeep_endpoint: false\n"


FIELDS = (
    "name",
    "serving.dtype",
    "serving.max_num_seqs",
    "serving.extra_args",
    "model.revision",
    "evaluation.concurrency",
)
VALUES = st.none() | st.integers(0, 9) | st.booleans() | st.text(max_size=9) | st.lists(st.text(max_size=5), max_size=3)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_the_edited_text_says_what_was_asked(changes: dict[str, Any]) -> None:
    values = yaml.safe_load(edited(FILE, changes)) or {}
    for field, value in changes.items():
        section, _, key = field.rpartition(".")
        held = (values.get(section) or {}) if section else values
        assert held.get(key) == value
