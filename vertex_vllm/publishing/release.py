"""One state of the sources as others use it: the image of the steps, and the specs that name it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vertex_vllm.publishing.building import ImageBuild, build_image, find_image
from vertex_vllm.publishing.templates import Destination, publish, unpublished


@dataclass(frozen=True)
class Release:
    build: ImageBuild
    destination: Destination
    pipelines: tuple[str, ...]
    compile: Callable[[str, str], str]
    """A pipeline's name and an image → its spec, YAML."""

    def specs(self, image: str) -> Mapping[str, str]:
        return {name: self.compile(name, image) for name in self.pipelines}


def missing(release: Release) -> tuple[str, ...]:
    """What `make` would make, as a person calls it. Raises ServiceError."""
    image = find_image(release.build)
    if image is None:
        return (f"image {release.build.tagged}", *(f"template {name}" for name in release.pipelines))
    return tuple(f"template {name}" for name in unpublished(release.specs(image), release.destination))


def make(release: Release, archive: bytes, on_change: Callable[[str], None]) -> Iterator[str]:
    """Makes what is missing, and tells each thing once it is there. Broken off, it is finished by the next call.

    `archive`: `Sources.archive`. Raises InputError, ServiceError.
    """
    image = find_image(release.build)
    if image is None:
        image = build_image(release.build, archive, on_change)
        yield f"image {image}"
    specs = release.specs(image)
    for name in unpublished(specs, release.destination):
        publish({name: specs[name]}, release.destination)
        yield f"template {name}"
