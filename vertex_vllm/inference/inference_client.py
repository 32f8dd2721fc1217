"""One client for predict, rawPredict and chat completions, on shared and dedicated endpoints."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

import requests

from vertex_vllm.errors import InferenceError
from vertex_vllm.foreign_json import parsed
from vertex_vllm.inference.chat import ChatAnswer, ChatChunk, read_answer, read_chunk
from vertex_vllm.inference.endpoint_connection import EndpointConnection
from vertex_vllm.inference.events import event_data

Message = Mapping[str, Any]
"""`{"role": …, "content": …}`, content a string or a list of OpenAI's parts."""

_CHAT_PATH = "/chat/completions"
_CHAT_VERSION = "v1beta1"  # The only version for which Google documents chat completions.
_END = "[DONE]"


class EndpointClient:
    """Asks one endpoint. Finds its region and its dedicated DNS name by itself; threads may share it.

    Every method raises InferenceError with the status and the server's own words, and ServiceError without credentials.
    """

    def __init__(self, endpoint_name: str, answer_seconds: float | None = None) -> None:
        """`endpoint_name`: projects/P/locations/R/endpoints/E. Raises InputError for anything else.

        `answer_seconds`: longest wait for the next byte of an answer, where the endpoint allows a longer one.
        """
        self._connection = EndpointConnection(endpoint_name, answer_seconds)

    def predict(self, instances: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """One prediction an instance: a string for a prompt, a chat completion for messages with `@requestFormat`."""
        body = {"instances": list(instances), **({"parameters": dict(parameters)} if parameters else {})}
        response = self._connection.post("v1", ":predict", json.dumps(body).encode())
        predictions = read_json(response).get("predictions")
        # For a single chat completion Model Garden's container answers with it, rather than with a list of it.
        found = [predictions] if isinstance(predictions, dict) else predictions
        if not isinstance(found, list) or len(found) != len(instances):
            raise InferenceError(f"Not {len(instances)} predictions: {response.text[:300]}")
        return found

    def raw_predict(self, body: bytes) -> bytes:
        """The bytes of the container's answer to the bytes of `body`."""
        return self._connection.post("v1", ":rawPredict", body).content

    def chat(self, messages: Sequence[Message], **options: Any) -> ChatAnswer:
        """`options`: max_tokens, temperature and any other parameter of OpenAI's chat completions or of vLLM."""
        start = time.monotonic()
        response = self._connection.post(_CHAT_VERSION, _CHAT_PATH, _chat_body(messages, options))
        return read_answer(read_json(response), time.monotonic() - start)

    def stream_chat(self, messages: Sequence[Message], **options: Any) -> Iterator[ChatChunk]:
        """The answer in chunks as they are made, the last with the token counts.

        Raises InferenceError also where the stream ends before the answer does.
        """
        options = {"stream_options": {"include_usage": True}, **options, "stream": True}
        start = time.monotonic()
        response = self._connection.post(_CHAT_VERSION, _CHAT_PATH, _chat_body(messages, options), stream=True)
        finished = False
        with closing(response):
            try:
                pieces = response.iter_content(chunk_size=None)
                for data in event_data(pieces, self._connection.answer_seconds):
                    if data == _END:
                        _read_out(pieces)
                        return
                    chunk = read_chunk(data, time.monotonic() - start)
                    finished = finished or bool(chunk.finish_reason)
                    yield chunk
            except requests.RequestException as error:
                raise InferenceError(f"The answer broke off: {error}") from error
            except TimeoutError as error:
                raise InferenceError(str(error), where=str(self._connection.name)) from error
        if not finished:
            raise InferenceError("The stream ended before the answer did")


def _read_out(pieces: Iterator[bytes]) -> None:
    """Reads the answer to its last byte, so that the connection can be reused without another TLS handshake."""
    with suppress(requests.RequestException):  # The answer is complete.
        for _ in pieces:
            pass


def _chat_body(messages: Sequence[Message], options: Mapping[str, Any]) -> bytes:
    # An endpoint serves one model; the name stays empty, as Google documents for its OpenAI-compatible URL.
    return json.dumps({"model": "", "messages": list(messages), **options}).encode()


def read_json(response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises InferenceError for any other answer."""
    try:
        body = parsed(response.content)
    except ValueError as error:
        raise InferenceError(f"The answer is not JSON: {response.text[:300]}") from error
    if not isinstance(body, dict):
        raise InferenceError(f"The answer is not a JSON object: {response.text[:300]}")
    return body
