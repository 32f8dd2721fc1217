"""`vertex-vllm ask DEPLOYMENT QUESTION`"""

import base64
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.completing import deployments
from vertex_vllm.cli.place import named_project, named_regions, regions_option, require_credentials
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_vllm.inference.chat import ChatChunk

# Vertex AI docs, "Use dedicated public endpoints": a request is at most 10 MB; base64 makes 4 bytes of 3.
_MOST_IMAGE_BYTES = 7_000_000


@click.command()
@click.argument("deployment", shell_complete=deployments)
@click.argument("question")
@click.option("--image", type=click.Path(path_type=Path), help="Picture that the question is about: PNG, JPEG, WebP.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=500, show_default=True, help="Longest answer.")
@click.option("--system", default="", help="Instruction in front of the question.")
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
def ask(
    deployment: str,
    question: str,
    image: Path | None,
    max_tokens: int,
    system: str,
    project: str | None,
    regions: tuple[str, ...],
) -> None:
    """Ask the live endpoint of DEPLOYMENT a question, and print the answer as it is written.

    Example: vertex-vllm ask smollm2-135m-instruct "What is the capital of France?" --project my-project
    """
    from vertex_vllm.inference.inference_client import EndpointClient
    from vertex_vllm.lifecycle.deployment_view import view_deployment

    content = _content(question, image)
    named = named_project(project)
    require_credentials(named)
    endpoint = view_deployment(named, named_regions(regions), deployment).serving.endpoint
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": content})
    _print(EndpointClient(endpoint).stream_chat(messages, max_tokens=max_tokens))


def _content(question: str, image: Path | None) -> str | list[dict[str, Any]]:
    """Content of the message. Raises InputError for a file that is not a picture."""
    if image is None:
        return question
    kind, _ = mimetypes.guess_type(image.name)
    if not kind or not kind.startswith("image/"):
        raise InputError("is not a picture by its name", where=str(image), fix="Give a .png, .jpg or .webp file")
    try:
        data = image.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(image), fix="Name another --image") from error
    if len(data) > _MOST_IMAGE_BYTES:
        raise InputError(
            f"has {len(data)} bytes; a request takes {_MOST_IMAGE_BYTES}", where=str(image), fix="Scale it down"
        )
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question}]


def _print(chunks: "Iterator[ChatChunk]") -> None:
    """The answer on standard output; thoughts, token counts and a cut-off answer on standard error."""
    finish, used = "", None
    for chunk in chunks:
        if chunk.reasoning:
            say(chunk.reasoning, err=True, nl=False)
        if chunk.text:
            say(chunk.text, nl=False)
        finish = chunk.finish_reason or finish
        used = chunk if chunk.completion_tokens is not None else used
    say()
    if used is not None:
        say(f"{used.prompt_tokens} + {used.completion_tokens} tokens in {used.seconds:.1f} s", err=True)
    if finish == "length":
        say("The answer was cut off: raise --max-tokens", err=True)
