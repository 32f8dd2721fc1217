"""The steps' image that a project's bootstrap built, found in its Artifact Registry."""

from dataclasses import dataclass

from vertex_vllm.errors import InputError
from vertex_vllm.publishing.building import LATEST, sources_tag, steps_image
from vertex_vllm.publishing.image_digest import find_digest
from vertex_vllm.publishing.provenance import require_built_here


@dataclass(frozen=True)
class BuiltImage:
    name: str
    """`IMAGE@sha256:DIGEST`"""
    warning: str = ""
    """A warning that it may be another image than the caller expects; empty: it was built from the caller's sources."""


def find_built(project: str, region: str, sources: str = "") -> BuiltImage:
    """The image built from `sources` (`Sources.digest`), else the one that bootstrap built last.

    Raises InputError where bootstrap has built none; ServiceError when Artifact Registry fails, and unless Google
    signed that a build of this project pushed the image: who may push can point the tag at another one.
    """
    image = steps_image(project, region)
    if sources and (digest := find_digest(f"{image}:{sources_tag(sources)}")):
        return _verified(BuiltImage(f"{image}@{digest}"), project, region)
    digest = find_digest(f"{image}:{LATEST}")
    if digest is None:
        raise InputError(
            "bootstrap has built no image of the steps in this project and region",
            where=image,
            fix=f"Run `vertex-vllm bootstrap --project {project} --region {region}`, "
            "or name one with --image IMAGE@sha256:DIGEST.",
        )
    changed = (
        f"{image}@{digest} was built from other sources than this checkout's; `vertex-vllm bootstrap` builds these"
    )
    return _verified(BuiltImage(f"{image}@{digest}", changed if sources else ""), project, region)


def _verified(found: BuiltImage, project: str, region: str) -> BuiltImage:
    require_built_here(found.name, project, region)
    return found
