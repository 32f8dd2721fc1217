"""Compiled specs: their files, the images of their steps, and replacing those images."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vertex_vllm.errors import InputError
from vertex_vllm.foreign_yaml import parsed
from vertex_vllm.shipped import shipped

COMPILED = shipped("compiled")

_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


def compiled(pipeline: str) -> Path:
    """The shipped spec of a pipeline."""
    return COMPILED / f"{pipeline}.yaml"


def pipelines() -> tuple[str, ...]:
    """The pipelines that have a shipped spec, sorted by name."""
    return tuple(sorted(path.stem for path in COMPILED.glob("*.yaml")))


def spec_for(pipeline: str, image: str) -> str:
    """The shipped spec of a pipeline, YAML, with its steps in `image`."""
    return with_image(compiled(pipeline).read_text(encoding="utf-8"), image)


def images_of(spec: str) -> tuple[str, ...]:
    """Images that the steps of a spec (YAML) run in, each once, in their order. Raises InputError for another text."""
    try:
        executors: Mapping[str, Any] = parsed(spec)["deploymentSpec"]["executors"]
        images = [each["container"]["image"] for each in executors.values() if "container" in each]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not a compiled pipeline: {type(error).__name__}", where="spec", fix="Write it with `make compile`."
        ) from None
    return tuple(dict.fromkeys(images))


def is_unresolvable(image: str) -> bool:
    """Whether the image is the placeholder for the one that a project's bootstrap builds: no host below `.invalid`
    resolves."""
    return image.partition("/")[0].endswith(".invalid")


def is_pinned(image: str) -> bool:
    """Whether it is written `IMAGE@sha256:DIGEST`."""
    return _PINNED.fullmatch(image) is not None


def with_image(spec: str, image: str) -> str:
    """The spec with `image` in the place of every image that a step runs in; an empty `image` changes nothing."""
    if not image:
        return spec
    for other in images_of(spec):
        spec = re.sub(rf"^(\s*image: )[\"']?{re.escape(other)}[\"']?$", rf"\g<1>{image}", spec, flags=re.MULTILINE)
    return spec


def require_pinned(spec: str, project: str, region: str) -> str:
    """`spec`, if every image in it is named by digest. Raises InputError for any other.

    A tag may point at other code tomorrow, and a project's id in an image's name belongs to the person who registered
    it: their code would run as the caller's service account.
    """
    for image in images_of(spec):
        if is_unresolvable(image) or not is_pinned(image):
            raise InputError(
                f"the steps' image {image} is not pinned by digest",
                where="spec",
                fix=f"{how_to_build(project, region)}, or name one with --image IMAGE@sha256:DIGEST.",
            )
    return spec


def how_to_build(project: str, region: str) -> str:
    """The command that makes a project ready."""
    return f"Run `vertex-vllm bootstrap --project {project} --region {region}`"
