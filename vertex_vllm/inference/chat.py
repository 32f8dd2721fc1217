"""Chat completions as OpenAI's API shapes them: whole answers and the chunks of a stream, checked as they are read."""

import json
from dataclasses import dataclass
from typing import Any

from vertex_vllm.errors import InferenceError
from vertex_vllm.foreign_json import parsed
from vertex_vllm.plain_text import whole_characters

_SHOWN_CHARACTERS = 300
_MOST_TOKENS = 2**53
"""Above it a float does not count any more."""
# Marks of DeepSeek-R1, Qwen3 and the models trained like them.
THOUGHTS, THOUGHTS_END = "<think>", "</think>"


@dataclass(frozen=True)
class ChatAnswer:
    text: str
    finish_reason: str
    """`stop`, `length`, …"""
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    """From the request's start to the answer's end."""
    reasoning: str = ""
    """Thoughts, where the server takes them out of the answer (--reasoning-parser)."""
    tool_calls: int = 0
    """Calls of tools in the place of an answer."""


@dataclass(frozen=True)
class ChatChunk:
    """One event of a stream. The first has only a role, the last only the usage."""

    text: str
    finish_reason: str
    """`stop`, `length`, …; empty in all chunks but one."""
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    """From the request's start to this chunk's arrival."""
    reasoning: str = ""


def read_answer(body: Any, seconds: float) -> ChatAnswer:
    """Raises InferenceError where `body` is not a chat completion."""
    try:
        choice, usage = body["choices"][0], body["usage"]
        return ChatAnswer(
            text=_text(choice["message"]),
            finish_reason=whole_characters(str(choice["finish_reason"] or "")),
            prompt_tokens=int(usage["prompt_tokens"]),
            completion_tokens=int(usage["completion_tokens"]),
            seconds=seconds,
            reasoning=_reasoning(choice["message"]),
            tool_calls=len(choice["message"].get("tool_calls") or ()),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _malformed("chat completion", body, error) from error


def read_chunk(data: str, seconds: float) -> ChatChunk:
    """Raises InferenceError where `data` is not a chunk of a chat completion; if it is an error, in the server's
    words."""
    try:
        body = parsed(data)
        if body.get("error"):
            raise InferenceError(f"The server broke off its answer: {_words(body['error'])}")
        choice = body["choices"][0] if body["choices"] else {}
        usage = body.get("usage") or {}
        return ChatChunk(
            text=_text(choice.get("delta") or {}),
            finish_reason=whole_characters(str(choice.get("finish_reason") or "")),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
            seconds=seconds,
            reasoning=_reasoning(choice.get("delta") or {}),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise _malformed("chunk of a chat completion", data, error) from error


def _text(message: dict[str, Any]) -> str:
    # Null where a model only calls tools or reasons.
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise TypeError("content is not a string")
    return whole_characters(content)


def _count(told: Any) -> int | None:
    """A number of tokens; None for what is not one."""
    if (
        isinstance(told, bool)
        or not isinstance(told, int | float)
        or not 0 <= told <= _MOST_TOKENS
        or told != told // 1
    ):
        return None
    return int(told)


def _reasoning(message: dict[str, Any]) -> str:
    """vLLM calls it `reasoning_content`, and since 0.12 `reasoning` (ChatMessage in its protocol)."""
    thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
    return whole_characters(thoughts) if isinstance(thoughts, str) else ""


def own_answer(text: str) -> str:
    """An answer without the thoughts before it, which a server without a reasoning parser leaves in the text.

    Empty where a text that begins with thoughts ends before its answer.
    """
    _, end, answer = text.rpartition(THOUGHTS_END)
    if end:
        return answer.strip()
    return "" if text.lstrip().startswith(THOUGHTS) else text


def _words(error: Any) -> str:
    return whole_characters(str(error.get("message", error)) if isinstance(error, dict) else str(error))


def _malformed(what: str, body: Any, error: Exception) -> InferenceError:
    shown = body if isinstance(body, str) else json.dumps(body)
    return InferenceError(f"Not a well-formed {what} ({type(error).__name__}: {error}): {shown[:_SHOWN_CHARACTERS]}")
