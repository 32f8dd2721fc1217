"""Requests of a load over aiohttp: body, stream, times.

aiohttp was measured beside httpx against the same server; `benchmarks/load.py` repeats it.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from vertex_vllm.error_data import RETRYABLE_STATUS
from vertex_vllm.errors import InferenceError, VertexVllmError
from vertex_vllm.foreign_json import parsed
from vertex_vllm.inference.chat import read_chunk
from vertex_vllm.inference.endpoint_connection import CONNECT_SECONDS, server_words
from vertex_vllm.inference.events import EventReader, no_event
from vertex_vllm.load.address import Address
from vertex_vllm.load.due_requests import Due
from vertex_vllm.load.prompts import PromptWriter, TokenScale
from vertex_vllm.load.samples import Sample

_END = "[DONE]"
_SHOWN_CHARACTERS = 300


class StreamClient:
    """Sends requests of a load. An asynchronous context manager, for one event loop."""

    def __init__(self, address: Address, scale: TokenScale, seed: int) -> None:
        """Raises InputError for an unusable proxy or file of authorities, ServiceError without credentials."""
        self._address = address
        self._proxy = address.proxy
        self._trust = address.trust
        self._authorization = address.authorization()
        self._scale = scale
        self._writer = PromptWriter(seed)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # No limit: a request that waits for a free connection would not be sent when it is due.
            connector=aiohttp.TCPConnector(limit=0, ssl=self._trust, keepalive_timeout=75),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=self._address.answer_seconds
            ),
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            skip_auto_headers=("User-Agent",),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, due: Due, start: float, scheduled: float | None = None) -> Sample:
        """Sends a request at once. `start`: the load's start by the event loop's clock.

        A refusal or a broken stream is a sample with an `error`; a cancelled request raises CancelledError.
        """
        body = self._body(due)
        clock = asyncio.get_running_loop().time
        began = clock()
        answer = StreamedAnswer(clock)
        error, retryable = "", False
        try:
            await self._exchange(body, answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            error = _words_of(failure)
            # A refused connection is a wrong address more often than a failure that passes.
            retryable = not isinstance(failure, aiohttp.ClientConnectorError)
        except VertexVllmError as failure:
            error = str(failure)
            retryable = isinstance(failure, InferenceError) and failure.status in RETRYABLE_STATUS
        ended = clock()
        return Sample(
            number=due.number,
            scheduled=began - start if scheduled is None else scheduled,
            started=began - start,
            first_token=None if answer.first is None else answer.first - start,
            last_token=None if answer.last is None else answer.last - start,
            ended=ended - start,
            output_tokens=answer.output_tokens,
            prompt_tokens=answer.prompt_tokens,
            longest_gap=answer.longest_gap,
            error=error,
            retryable=retryable,
            warm_up=due.warm_up,
        )

    def _body(self, due: Due) -> bytes:
        prompt = self._writer.text(due.number, self._scale.words(due.lengths.prompt))
        # ignore_eos is vLLM's: every answer has the length that the profile asks for.
        options = {"max_tokens": due.lengths.answer, "ignore_eos": True, "temperature": 0.0}
        if not self._address.chat:
            return json.dumps({"instances": [{"prompt": prompt, "raw_response": True, **options}]}).encode()
        chat = {
            "model": self._address.model,
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return json.dumps({**chat, **options}).encode()

    async def _exchange(self, body: bytes, answer: "StreamedAnswer") -> None:
        authorization = await self._authorization.header()
        headers = {"Authorization": authorization} if authorization else None
        async with self._session.post(self._address.url, data=body, headers=headers, proxy=self._proxy) as response:
            if response.status != 200:
                words = server_words(await response.text(errors="replace"))
                raise InferenceError(f"HTTP {response.status}: {words}", status=response.status)
            if self._address.chat:
                await answer.read(response.content, self._address.answer_seconds)
            else:
                _require_predictions(await response.read())


@dataclass
class StreamedAnswer:
    """The part of a stream that has arrived. Times by the event loop's clock."""

    clock: Callable[[], float]
    first: float | None = None
    last: float | None = None
    longest_gap: float | None = None
    output_tokens: int | None = None
    prompt_tokens: int | None = None
    finished: bool = False
    reader: EventReader = field(default_factory=EventReader)

    async def read(self, content: aiohttp.StreamReader, silence: float) -> None:
        """Reads to the stream's last byte, so that its connection can be reused.

        Raises InferenceError where the stream ends before the answer does, holds an error of the server's, or holds no
        event for more than `silence` seconds, comments alone for example.
        """
        heard = self.clock()
        while True:
            piece = await content.readany()
            if not piece:
                break
            now = self.clock()
            for data in self.reader.feed(piece):
                heard = now
                if data != _END:
                    self._take(data, now)
            if now - heard > silence:
                raise InferenceError(no_event(silence))
        if not self.finished:
            raise InferenceError("The stream ended before the answer did")

    def _take(self, data: str, now: float) -> None:
        chunk = read_chunk(data, 0.0)
        if chunk.text or chunk.reasoning:
            if self.last is None:
                self.first = now
            else:
                self.longest_gap = max(self.longest_gap or 0.0, now - self.last)
            self.last = now
        if chunk.completion_tokens is not None:
            self.output_tokens = chunk.completion_tokens
        if chunk.prompt_tokens is not None:
            self.prompt_tokens = chunk.prompt_tokens
        self.finished = self.finished or bool(chunk.finish_reason)


def _require_predictions(body: bytes) -> None:
    try:
        predictions: Any = parsed(body)["predictions"]
    except (ValueError, KeyError, TypeError) as error:
        raise InferenceError(f"Not a prediction: {body[:_SHOWN_CHARACTERS]!r}") from error
    if not predictions:
        raise InferenceError("The prediction is empty")


def _words_of(failure: Exception) -> str:
    """The failure without a URL's query or a header."""
    if isinstance(failure, TimeoutError):
        return f"No byte in time ({type(failure).__name__})"
    if isinstance(failure, aiohttp.ClientConnectorError | aiohttp.ClientProxyConnectionError):
        return f"No connection: {failure.os_error}"
    return f"The connection broke ({type(failure).__name__})"
