"""The journal as text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.mirror.journal import Journal

JOURNAL = Journal("an-id", 1000, "a" * 64, 100, {1: 5, 2: 4_000_000_000, 4: 0}, 200, "little00")


def test_round_trip() -> None:
    assert Journal.from_json(JOURNAL.to_json()) == JOURNAL


def test_another_file_under_the_same_name_is_another_upload() -> None:
    assert JOURNAL.is_of(1000, "a" * 64, 100)
    assert not JOURNAL.is_of(1001, "a" * 64, 100)
    assert not JOURNAL.is_of(1000, "b" * 64, 100)
    assert not JOURNAL.is_of(1000, "a" * 64, 200)


WRONG = {
    "format": [2],
    "crc32c": [[], {"x": 1}, {"1": "1"}, {"1": True}, {"-1": 1}, None],
    "hashed": [-100, 150, 1000, 1100, 0, "200", 2.0],
    "size": [None, -1],
    "part_bytes": [0, "100"],
    "state": ["", 5],
    "upload_id": [None],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_journal_that_cannot_be_is_none(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"journal|int"):
        Journal.from_json(json.dumps({**json.loads(JOURNAL.to_json()), field: value}))


@given(st.text(max_size=40) | st.sampled_from(["{}", "[]", '{"format": 1}', '{"format": 1, "crc32c": {}}']))
def test_any_other_text_is_no_journal(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is a ValueError, too
        Journal.from_json(text)
