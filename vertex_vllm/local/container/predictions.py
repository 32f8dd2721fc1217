"""The requests and answers of Model Garden's server in terms of vLLM's own: pure functions.

`@requestFormat` and its answer: Google's notebooks of Model Garden (GoogleCloudPlatform/vertex-ai-samples), which read
`response.predictions["choices"]`, so one chat instance is answered with one object and not with a list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMPLETIONS = "/v1/completions"
CHAT_COMPLETIONS = "/v1/chat/completions"

# Fields of an instance that vLLM does not get.
_OWN_KEYS = ("prompt", "raw_response", "multi_modal_data", "@requestFormat", "stream")
_LORA_KEYS = ("dynamic-lora", "lora_id")
# `SamplingParams.max_tokens` of vLLM; its chat completions would continue to the end of the context.
_MAX_TOKENS = 16
# The prompt as it is, where chat completions would put the model's own chat template around it.
_NO_TEMPLATE = "{{ messages[0]['content'] }}"


class RequestError(Exception):
    """The request is malformed: HTTP 400, with this text."""


@dataclass(frozen=True)
class Chat:
    """A chat completion: answered with the completion itself, under `predictions` when it came as an instance."""

    payload: dict[str, Any]
    wrapped: bool

    @property
    def streams(self) -> bool:
        return bool(self.payload.get("stream"))


@dataclass(frozen=True)
class Prompt:
    """One instance with a prompt."""

    path: str
    payload: dict[str, Any]
    text: str
    raw_response: bool

    def answers(self, completion: Mapping[str, Any]) -> list[str]:
        """The predictions that vLLM's `completion` holds: one, or as many as `n` asks for."""
        texts: list[str] = [_choice_text(choice) for choice in completion["choices"]]
        if self.raw_response:
            return texts
        return [f"Prompt:\n{self.text}\nOutput:\n{text}" for text in texts]


def read_request(body: Any) -> Chat | tuple[Prompt, ...]:
    """The parameters for vLLM in the body of a request to /generate. Raises RequestError."""
    if not isinstance(body, dict):
        raise RequestError("The body must be a JSON object.")
    if _is_chat(body):
        return Chat(_chat_payload(body), wrapped=False)
    instances = body.get("instances")
    if not isinstance(instances, list) or not instances or not all(isinstance(one, dict) for one in instances):
        raise RequestError('The body must have "instances": a list of objects, at least one.')
    if any(_is_chat(instance) for instance in instances):
        if len(instances) > 1:
            raise RequestError("chatCompletions takes one instance a request.")
        return Chat(_chat_payload(instances[0]), wrapped=True)
    return tuple(_prompt(instance, f"instances[{index}]") for index, instance in enumerate(instances))


def _is_chat(fields: Mapping[str, Any]) -> bool:
    return fields.get("@requestFormat") == "chatCompletions"


def _chat_payload(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "@requestFormat"}


def _prompt(instance: Mapping[str, Any], where: str) -> Prompt:
    prompt = instance.get("prompt")
    if not isinstance(prompt, str):
        raise RequestError(f'{where} must have a "prompt" that is a string.')
    if any(instance.get(key) for key in _LORA_KEYS):
        raise RequestError(f"{where}: this machine's container loads no LoRA adapters at request time.")
    if instance.get("stream"):
        raise RequestError(f"{where}: only chat completions can be streamed.")
    options = {name: value for name, value in instance.items() if name not in (*_OWN_KEYS, *_LORA_KEYS)}
    raw_response = bool(instance.get("raw_response", False))
    images = _images(instance.get("multi_modal_data"), where)
    if images:
        return Prompt(CHAT_COMPLETIONS, _image_payload(prompt, images, options), prompt, raw_response)
    return Prompt(COMPLETIONS, {"prompt": prompt, **options}, prompt, raw_response)


def _images(data: Any, where: str) -> list[str]:
    if data is None:
        return []
    given = data.get("image") if isinstance(data, dict) else None
    images = given if isinstance(given, list) else [given]
    urls = [image for image in images if isinstance(image, str) and image]
    if not urls or len(urls) < len(images):
        raise RequestError(f'{where}: "multi_modal_data" must be {{"image": a URL or a list of URLs}}.')
    return urls


def _image_payload(prompt: str, images: list[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """A chat completion whose prompt, token for token, is `prompt` with the images where its placeholders are.

    vLLM's server takes images in chat completions only. A template that returns the message's text unchanged adds
    nothing to the prompt. Placeholders in the text are used; missing ones are put before it.
    """
    parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return {
        "max_tokens": _MAX_TOKENS,
        **options,
        "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": prompt}]}],
        "chat_template": _NO_TEMPLATE,
        "add_generation_prompt": False,
        # As for any other prompt; for chat completions the template would have done it.
        "add_special_tokens": True,
    }


def _choice_text(choice: Mapping[str, Any]) -> str:
    return str(choice["text"] if "text" in choice else choice["message"]["content"] or "")
