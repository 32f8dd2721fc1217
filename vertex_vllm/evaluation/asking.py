"""One timed request to an endpoint."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vertex_vllm.errors import InferenceError
from vertex_vllm.inference.chat import own_answer
from vertex_vllm.inference.inference_client import EndpointClient, Message
from vertex_vllm.plain_text import whole_characters

Prompt = str | Sequence[Message]
"""Text to complete by predict, or messages to answer by chat completions, streamed."""


@dataclass(frozen=True)
class Reply:
    """An answer and its times, in seconds from the request's start. None: not measured."""

    text: str
    seconds: float
    """Until the answer was complete."""
    first_token_seconds: float | None = None
    last_token_seconds: float | None = None
    output_tokens: int | None = None
    input_tokens: int | None = None
    """As the server counts them, its chat template's among them."""
    error: str = ""
    """Why there is no answer; empty where there is one."""
    reasoning: str = ""
    """Reasoning that the server took out of the text, or that precedes the answer in it."""
    cut: bool = False
    """The reply ended because its tokens were used up."""
    sent_at: float = 0.0
    """When the request was sent, in seconds since 1970; 0: not known."""

    @property
    def thought_only(self) -> bool:
        """The tokens were used up in the middle of the thoughts."""
        return self.cut and not self.text.strip() and bool(self.reasoning)

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens after the first, divided by the seconds from the first to the last."""
        if self.output_tokens is None or self.first_token_seconds is None or self.last_token_seconds is None:
            return None
        decoding = self.last_token_seconds - self.first_token_seconds
        return (self.output_tokens - 1) / decoding if self.output_tokens > 1 and decoding > 0 else None


def ask(
    client: EndpointClient, prompt: Prompt, max_tokens: int | None, options: Mapping[str, Any] | None = None
) -> Reply:
    """A refusal is a reply too: its `error` says why. Without `max_tokens` an answer may take the whole context.

    `options`: further fields of the request, such as `seed` and `stop`; by predict also `multi_modal_data`.
    """
    given = {**({} if max_tokens is None else {"max_tokens": max_tokens}), "temperature": 0.0, **(options or {})}
    start, sent_at = time.monotonic(), time.time()
    try:
        reply = _complete(client, prompt, given) if isinstance(prompt, str) else _stream(client, prompt, given)
    except InferenceError as error:
        reply = Reply("", time.monotonic() - start, error=str(error))
    return replace(reply, sent_at=sent_at)


def _stream(client: EndpointClient, messages: Sequence[Message], options: Mapping[str, Any]) -> Reply:
    chunks = list(client.stream_chat(messages, **options))
    if not chunks:
        raise InferenceError("The stream held no chunk")
    # Thoughts are output, too: the first token may be one of them.
    with_text = [chunk.seconds for chunk in chunks if chunk.text or chunk.reasoning]
    whole = "".join(chunk.text for chunk in chunks)
    answer = own_answer(whole)
    counts = [chunk.completion_tokens for chunk in chunks if chunk.completion_tokens is not None]
    read = [chunk.prompt_tokens for chunk in chunks if chunk.prompt_tokens is not None]
    return Reply(
        text=answer,
        cut=any(chunk.finish_reason == "length" for chunk in chunks),
        reasoning="".join(chunk.reasoning for chunk in chunks) or (whole if answer != whole else ""),
        seconds=chunks[-1].seconds,
        first_token_seconds=with_text[0] if with_text else None,
        last_token_seconds=with_text[-1] if with_text else None,
        output_tokens=counts[-1] if counts else None,
        input_tokens=read[-1] if read else None,
    )


def _complete(client: EndpointClient, prompt: str, options: Mapping[str, Any]) -> Reply:
    start = time.monotonic()
    instance = {"prompt": prompt, **options, "raw_response": True}
    text = client.predict([instance])[0]
    if not isinstance(text, str):
        raise InferenceError(f"The prediction is not a string: {str(text)[:300]}")
    # predict answers whole and counts no tokens: time to first token and tokens per second are unknown.
    return Reply(whole_characters(text), time.monotonic() - start)
