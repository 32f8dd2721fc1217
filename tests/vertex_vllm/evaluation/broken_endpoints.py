"""Endpoints with other answers than the promoted one: the same server, with a fault in its requests or answers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vertex_vllm.inference.chat import ChatChunk
from vertex_vllm.inference.inference_client import EndpointClient, Message


class TruncatedContext(EndpointClient):
    """Keeps the last 64 tokens of a prompt."""

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        return super().stream_chat(messages, **options, truncate_prompt_tokens=64)


class ForcedTemperature(EndpointClient):
    """Samples even if the request says otherwise."""

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        return super().stream_chat(messages, **{**options, "temperature": 1.0})


class LostStopString(EndpointClient):
    """Does not pass the stop strings on."""

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        return super().stream_chat(messages, **{name: value for name, value in options.items() if name != "stop"})


class DroppedSystemMessage(EndpointClient):
    """Its chat template leaves the system message out."""

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        return super().stream_chat([each for each in messages if each["role"] != "system"], **options)


class WrongTemplate(EndpointClient):
    """Writes the conversation in the marks of another family of models."""

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        text = "<s>"
        for message in messages:
            content = message["content"]
            text += f" {content} </s>" if message["role"] == "assistant" else f"[INST] {content} [/INST]"
        return super().stream_chat([{"role": "user", "content": text}], **options)


class HalfEmpty(EndpointClient):
    """Every other answer is empty."""

    asked = 0

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        self.asked += 1
        empty = self.asked % 2 == 0
        for chunk in super().stream_chat(messages, **options):
            yield replace(chunk, text="") if empty else chunk


class IgnoredPicture(EndpointClient):
    """Does not pass pictures on."""

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        return super().stream_chat([_without_picture(message) for message in messages], **options)


def _without_picture(message: Message) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return message
    return {**message, "content": [part for part in content if part["type"] == "text"]}


BROKEN_TEXT = (TruncatedContext, ForcedTemperature, LostStopString, DroppedSystemMessage, WrongTemplate, HalfEmpty)
