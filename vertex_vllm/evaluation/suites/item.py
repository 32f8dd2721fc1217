"""An item of a suite, and the request that asks it."""

import base64
import hashlib
import json
from typing import Annotated, Any

from pydantic import Field

from vertex_vllm.evaluation.suites.checks import Check, Part
from vertex_vllm.inference.inference_client import Message

MOST_LEVEL = 4
ANSWER_TOKENS = 32
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]


class Example(Part):
    """A question with its right answer, shown before the item: small models learn an answer's form from it alone."""

    prompt: str = Field(min_length=1, max_length=4000)
    answer: str = Field(min_length=1, max_length=1000)


class Item(Part):
    """A question with its check."""

    id: Name
    category: Name
    level: int = Field(default=1, ge=1, le=MOST_LEVEL, description="1: a model of 135M parameters; 4: one of 70B.")
    prompt: str = Field(min_length=1, max_length=100_000)
    check: Check
    cluster: str = Field(default="", max_length=80, description="Items on one text, table or picture share it.")
    picture: str = Field(default="", max_length=500, description="PNG or JPEG file beside the suite.")
    system: str = Field(default="", max_length=20_000)
    examples: list[Example] = Field(default=[])
    stop: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(default=[], max_length=4)
    max_tokens: int = Field(default=ANSWER_TOKENS, ge=1, le=32_768)
    content: bytes = Field(default=b"", repr=False, exclude=True)
    """The picture's bytes, from a file beside the suite or drawn by the generator."""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change whenever the request, the picture's bytes or the check change."""
        told = self.model_dump(mode="json", by_alias=True, exclude={"id", "category", "level", "cluster", "picture"})
        text = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
        return hashlib.sha256(text + b"\0" + self.content).hexdigest()[:16]

    @property
    def group(self) -> str:
        """The cluster, or the item itself where it has none."""
        return self.cluster or self.id

    @property
    def seed(self) -> int:
        """Sampling seed of the request: the same in every run, another for each item."""
        return int(self.digest[:7], 16)

    @property
    def picture_uri(self) -> str:
        kind = "jpeg" if self.content.startswith(b"\xff\xd8") else "png"
        return f"data:image/{kind};base64,{base64.b64encode(self.content).decode()}"


def chat_messages(item: Item) -> tuple[Message, ...]:
    """The system message, the examples as earlier turns, and the question, after its picture."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": item.system}] if item.system else []
    for example in item.examples:
        messages += [{"role": "user", "content": example.prompt}, {"role": "assistant", "content": example.answer}]
    if not item.content:
        return (*messages, {"role": "user", "content": item.prompt})
    parts = [
        {"type": "image_url", "image_url": {"url": item.picture_uri}},
        {"type": "text", "text": item.prompt},
    ]
    return (*messages, {"role": "user", "content": parts})


def completion_text(item: Item) -> str:
    """The same as text to complete, for models without a chat template."""
    shown = "".join(f"Question: {example.prompt}\nAnswer: {example.answer}\n\n" for example in item.examples)
    system = f"{item.system}\n\n" if item.system else ""
    return f"{system}{shown}Question: {item.prompt}\nAnswer:"
