"""Chat completions, well-formed and otherwise."""

import json
from typing import Any

import pytest

from vertex_vllm.errors import InferenceError
from vertex_vllm.inference.chat import ChatAnswer, ChatChunk, own_answer, read_answer, read_chunk
from vertex_vllm.inference.endpoint_connection import server_words

# As vLLM 0.32 answered, without the fields that nothing here reads.
COMPLETION = {
    "id": "chatcmpl-8d5a",
    "object": "chat.completion",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "A car is a vehicle."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 35, "total_tokens": 42, "completion_tokens": 7},
}


def chunk(**fields: Any) -> str:
    return json.dumps({"id": "chatcmpl-8d5a", "object": "chat.completion.chunk", **fields})


def test_a_whole_answer() -> None:
    assert read_answer(COMPLETION, 1.5) == ChatAnswer("A car is a vehicle.", "stop", 35, 7, 1.5)


def test_an_answer_that_only_calls_a_tool_has_no_text() -> None:
    called = {**COMPLETION, "choices": [{"message": {"content": None}, "finish_reason": "tool_calls"}]}
    assert read_answer(called, 1.5) == ChatAnswer("", "tool_calls", 35, 7, 1.5)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_are_read_beside_the_answer(field: str) -> None:
    thought = {**COMPLETION, "choices": [{"message": {"content": None, field: "Hm."}, "finish_reason": "length"}]}
    assert read_answer(thought, 1.5) == ChatAnswer("", "length", 35, 7, 1.5, reasoning="Hm.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Paris.", "Paris."),
        ("<think>Hm.</think>\n\nParis.", "Paris."),
        ("Hm.</think>Paris.", "Paris."),
        ("<think>Hm. Paris?", ""),
        ("", ""),
    ],
)
def test_an_answer_is_told_from_the_thoughts_before_it(text: str, answer: str) -> None:
    assert own_answer(text) == answer


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "text",
        {**COMPLETION, "choices": []},
        {**COMPLETION, "choices": [{"message": {"content": 7}, "finish_reason": "stop"}]},
        {**COMPLETION, "choices": [{"message": None, "finish_reason": "stop"}]},
        {**COMPLETION, "usage": None},
        {**COMPLETION, "usage": {"prompt_tokens": "many", "completion_tokens": 1}},
    ],
)
def test_a_malformed_answer_is_shown(body: Any) -> None:
    with pytest.raises(InferenceError, match="well-formed chat completion"):
        read_answer(body, 1.5)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]),
            ChatChunk("", "", None, None, 0.2),
        ),
        (
            chunk(choices=[{"index": 0, "delta": {"content": " car"}, "finish_reason": None}], usage=None),
            ChatChunk(" car", "", None, None, 0.2),
        ),
        (
            chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "length"}]),
            ChatChunk("", "length", None, None, 0.2),
        ),
        (
            chunk(choices=[], usage={"prompt_tokens": 35, "total_tokens": 42, "completion_tokens": 7}),
            ChatChunk("", "", 35, 7, 0.2),
        ),
        (
            chunk(choices=[], usage={"prompt_tokens": 10**400, "completion_tokens": 1e300}),
            ChatChunk("", "", None, None, 0.2),
        ),
    ],
)
def test_the_chunks_of_a_stream(data: str, expected: ChatChunk) -> None:
    assert read_chunk(data, 0.2) == expected


@pytest.mark.parametrize("data", ["{", "[]", "7", "null", '{"choices": 1}', '{"choices": [1]}', "{}"])
def test_a_malformed_chunk_is_shown(data: str) -> None:
    with pytest.raises(InferenceError, match="well-formed chunk"):
        read_chunk(data, 0.2)


def test_an_error_in_the_middle_of_a_stream_keeps_the_servers_words() -> None:
    error = {"error": {"object": "error", "message": "EngineCore encountered an issue.", "code": 500}}
    with pytest.raises(InferenceError, match="EngineCore encountered an issue"):
        read_chunk(json.dumps(error), 0.2)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"code": 404, "message": "Endpoint not found.", "status": "NOT_FOUND"}}', "Endpoint not found."),
        # Google's streaming methods put the error into a list.
        ('[{"error": {"code": 403, "message": "Permission denied."}}]', "Permission denied."),
        # vLLM, in OpenAI's shape.
        ('{"error": {"message": "max_tokens is too large", "type": "BadRequestError"}}', "max_tokens is too large"),
        ('{"error": "Bad request"}', "Bad request"),
        ("<html>\n  <h1>502 Bad Gateway</h1>\n</html>", "<html> <h1>502 Bad Gateway</h1> </html>"),
        ("", "no message"),
        ("x" * 9000, "x" * 500),
    ],
)
def test_the_servers_own_words(body: str, words: str) -> None:
    assert server_words(body) == words
