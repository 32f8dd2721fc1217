"""Smoke tests: whether the endpoint answers by each method that its clients use.

Answers must exist and be well-formed; whether they are right, the evaluation checks.
"""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from vertex_vllm.errors import InferenceError
from vertex_vllm.inference.chat import ChatAnswer, read_answer
from vertex_vllm.inference.inference_client import EndpointClient

QUESTION = "What is a car?"
IMAGE_QUESTION = "What is in this picture?"
LLAMA_IMAGE_PROMPT = f"<|image|>{IMAGE_QUESTION}"
"""Prompt of a Llama 3.2 Vision model without a chat template; other families mark the image's place differently."""
MAX_TOKENS = 64

PREDICT = "predict"
PREDICT_RAW = "predict, raw_response"
PREDICT_IMAGE = "predict, multi_modal_data"
PREDICT_CHAT = "predict, chatCompletions"
CHAT = "chat completions"

_SAMPLING = {"max_tokens": MAX_TOKENS, "temperature": 0.0}


@dataclass(frozen=True)
class Answer:
    """One request and its answer."""

    method: str
    prompt: str
    text: str
    seconds: float
    finish_reason: str
    """Empty where the method does not report it, as predict does not."""
    prompt_tokens: int | None
    completion_tokens: int | None
    request: dict[str, Any]
    """As it was sent, without the image's bytes."""


def answers_json(answers: Sequence[Answer]) -> str:
    return json.dumps([asdict(answer) for answer in answers], indent=2, ensure_ascii=False) + "\n"


def smoke_test_text(endpoint_name: str, chat: bool) -> tuple[Answer, ...]:
    """Asks "What is a car?" by predict, both ways of `raw_response`, and by chat completions if there is a template.

    Raises InferenceError for the first answer that is missing, empty or malformed.
    """
    client = EndpointClient(endpoint_name)
    instance = {"prompt": QUESTION, **_SAMPLING}
    answers = [
        _predict(client, PREDICT, {**instance, "raw_response": False}),
        _predict(client, PREDICT_RAW, {**instance, "raw_response": True}),
    ]
    if chat:
        answers.append(_chat(client, QUESTION, [{"role": "user", "content": QUESTION}]))
    return tuple(answers)


def smoke_test_image(endpoint_name: str, chat: bool, image_prompt: str = "") -> tuple[Answer, ...]:
    """Asks what is in the picture that ships with the project, sent as a `data:` URI.

    A model with a chat template gets it in messages, of predict and of chat completions. Predict's `multi_modal_data`
    is used if `image_prompt` is given, a prompt that marks the image's place as the model's family does, and for all
    models without a chat template, whose default prompt is that of Llama 3.2 Vision. Raises InferenceError as
    `smoke_test_text` does.
    """
    client = EndpointClient(endpoint_name)
    answers = []
    if image_prompt or not chat:
        prompt, data = image_prompt or LLAMA_IMAGE_PROMPT, {"image": picture_uri()}
        instance = {"prompt": prompt, "multi_modal_data": data, **_SAMPLING, "raw_response": True}
        answers.append(_predict(client, PREDICT_IMAGE, instance))
    if chat:
        picture = {"type": "image_url", "image_url": {"url": picture_uri()}}
        messages = [{"role": "user", "content": [picture, {"type": "text", "text": IMAGE_QUESTION}]}]
        answers += [_predict_chat(client, IMAGE_QUESTION, messages), _chat(client, IMAGE_QUESTION, messages)]
    return tuple(answers)


def picture_uri() -> str:
    """The shipped picture as a `data:` URI: no other host has to be reachable, or to allow vLLM's fetcher."""
    picture = resources.files("vertex_vllm.inference").joinpath("data", "car.png").read_bytes()
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _predict(client: EndpointClient, method: str, instance: dict[str, Any]) -> Answer:
    start = time.monotonic()
    prediction = client.predict([instance])[0]
    seconds = time.monotonic() - start
    if not isinstance(prediction, str):
        raise _bad(method, "is not a string", prediction)
    text = prediction
    if not instance["raw_response"]:
        head = f"Prompt:\n{instance['prompt'].strip()}\nOutput:\n"
        if not prediction.startswith(head):
            raise _bad(method, "does not repeat the prompt and begin its output after `Output:`", prediction)
        text = prediction.removeprefix(head)
    if not text.strip():
        raise _bad(method, "is empty", prediction)
    return Answer(method, instance["prompt"], text, seconds, "", None, None, _without_bytes(instance))


def _predict_chat(client: EndpointClient, prompt: str, messages: list[dict[str, Any]]) -> Answer:
    instance = {"@requestFormat": "chatCompletions", "messages": messages, **_SAMPLING}
    start = time.monotonic()
    prediction = client.predict([instance])[0]
    return _checked(PREDICT_CHAT, prompt, read_answer(prediction, time.monotonic() - start), instance)


def _chat(client: EndpointClient, prompt: str, messages: list[dict[str, Any]]) -> Answer:
    answer = client.chat(messages, **_SAMPLING)
    return _checked(CHAT, prompt, answer, {"messages": messages, **_SAMPLING})


def _checked(method: str, prompt: str, answer: ChatAnswer, request: Mapping[str, Any]) -> Answer:
    # Thoughts without an answer yet, and a tool call in the place of an answer, are accepted.
    if not (answer.text.strip() or answer.reasoning.strip() or answer.tool_calls):
        raise _bad(method, "is empty", answer)
    if not answer.finish_reason:
        raise _bad(method, "has no finish_reason", answer)
    if answer.prompt_tokens <= 0 or answer.completion_tokens <= 0:
        raise _bad(method, "counts no tokens", answer)
    return Answer(
        method,
        prompt,
        answer.text or answer.reasoning,
        answer.seconds,
        answer.finish_reason,
        answer.prompt_tokens,
        answer.completion_tokens,
        _without_bytes(request),
    )


def _without_bytes(request: Any) -> Any:
    """`request` with each `data:` URI cut down to its type and size."""
    if isinstance(request, Mapping):
        return {key: _without_bytes(value) for key, value in request.items()}
    if isinstance(request, list):
        return [_without_bytes(value) for value in request]
    if isinstance(request, str) and request.startswith("data:"):
        head, _, encoded = request.partition(",")
        return f"{head},… ({len(encoded)} characters)"
    return request


def _bad(method: str, what: str, answer: object) -> InferenceError:
    return InferenceError(f"The answer to {method} {what}: {str(answer)[:300]!r}")
