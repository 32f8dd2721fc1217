"""Chunks of a stream as broken servers and proxies send them: read as they are meant, or refused in words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.errors import InferenceError
from vertex_vllm.inference.chat import ChatChunk, read_answer, read_chunk
from vertex_vllm.inference.endpoint_connection import server_words

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
_MESSAGE = (
    st.fixed_dictionaries({}, optional={"content": _JSON, "reasoning_content": _JSON, "tool_calls": _JSON}) | _JSON
)
_USAGE = st.fixed_dictionaries({}, optional={"prompt_tokens": _JSON, "completion_tokens": _JSON}) | _JSON
_CHOICE = st.fixed_dictionaries({}, optional={"delta": _MESSAGE, "message": _MESSAGE, "finish_reason": _JSON}) | _JSON
_BODY = st.fixed_dictionaries({}, optional={"choices": st.lists(_CHOICE, max_size=2) | _JSON, "usage": _USAGE}) | _JSON


def chunk(**fields: Any) -> ChatChunk:
    return read_chunk(json.dumps({"choices": [], **fields}), 0.5)


@given(_BODY)
def test_any_chunk_is_read_or_refused(body: Any) -> None:
    try:
        found = read_chunk(json.dumps(body), 0.5)
    except InferenceError:
        return
    assert all(
        count is None or (type(count) is int and count >= 0) for count in (found.prompt_tokens, found.completion_tokens)
    )
    for text in (found.text, found.reasoning, found.finish_reason):
        text.encode()


@given(_BODY)
def test_any_answer_is_read_or_refused(body: Any) -> None:
    try:
        found = read_answer(body, 0.5)
    except InferenceError as refused:
        str(refused).encode()
        return
    for text in (found.text, found.reasoning, found.finish_reason):
        text.encode()


@pytest.mark.parametrize(
    ("told", "read"),
    [(3, 3), (3.0, 3), (0, 0), ("3", None), (True, None), (-1, None), (2.5, None), (None, None), ([], None)],
)
def test_a_count_that_is_none_is_not_taken_for_one(told: Any, read: int | None) -> None:
    assert chunk(usage={"completion_tokens": told}).completion_tokens == read


def test_half_a_character_is_replaced() -> None:
    whole = chunk(choices=[{"delta": {"content": "a\ud83d\ude00b"}}])
    half = chunk(choices=[{"delta": {"content": "a\ud83db", "reasoning": "\ude00"}}])
    assert (whole.text, half.text, half.reasoning) == ("a😀b", "a\ufffdb", "\ufffd")


@pytest.mark.parametrize("data", ["[" * 100_000, '{"choices":' * 100_000], ids=["arrays", "objects"])
def test_json_without_an_end_is_refused(data: str) -> None:
    with pytest.raises(InferenceError, match="Not a well-formed chunk"):
        read_chunk(data, 0.5)


def test_an_error_that_is_null_is_none() -> None:
    assert chunk(error=None, choices=[{"delta": {"content": "Paris"}}]).text == "Paris"
    with pytest.raises(InferenceError, match="broke off its answer: out of memory"):
        chunk(error={"message": "out of memory"})


@pytest.mark.parametrize("words", ["\ud83d", {"message": "died \ud83d"}, ["\ud83d"], {"message": {"a": "\ud83d"}}])
def test_words_of_a_server_can_be_written_down(words: Any) -> None:
    server_words(json.dumps({"error": words})).encode()
    with pytest.raises(InferenceError) as refused:
        chunk(error=words)
    str(refused.value).encode()


@pytest.mark.parametrize("body", ["[" * 100_000, "", "null", "[]", '{"error": null}', '{"error": {"message": null}}'])
def test_any_refusal_has_words(body: str) -> None:
    assert isinstance(server_words(body), str)
