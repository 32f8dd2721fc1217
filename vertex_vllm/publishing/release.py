"""One state of the sources as others use it: the image of the steps, and the specs that name it."""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from vertex_vllm.publishing.building import ImageBuild, build_image, find_image
from vertex_vllm.publishing.image_digest import digest_of, find_digest, point_tag
from vertex_vllm.publishing.templates import Destination, publish, unpublished


@dataclass(frozen=True)
class Release:
    build: ImageBuild
    destination: Destination
    pipelines: tuple[str, ...]
    spec: Callable[[str, str], str]
    """A pipeline's name and an image → its spec, YAML."""

    def specs(self, image: str) -> Mapping[str, str]:
        return {name: self.spec(name, image) for name in self.pipelines}


def missing(release: Release) -> tuple[str, ...]:
    """What `make` would make, as a person calls it. Raises ServiceError."""
    image = find_image(release.build)
    if image is None:
        return (
            f"image {release.build.tagged}",
            f"tag {release.build.latest}",
            *(f"template {name}" for name in release.pipelines),
        )
    moved = () if find_digest(release.build.latest) == digest_of(image) else (f"tag {release.build.latest}",)
    return (*moved, *(f"template {name}" for name in unpublished(release.specs(image), release.destination)))


def make_image(build: ImageBuild, archive: bytes, on_change: Callable[[str], None]) -> Generator[str, None, str]:
    """The steps' image by digest, built where no image of these sources exists; `submit` finds it from now on.

    Yields each thing once it is made. Raises as `make`.
    """
    image = find_image(build)
    if image is None:
        image = build_image(build, archive, on_change)
        yield f"image {image}"
    if point_tag(build.latest, digest_of(image)):
        yield f"tag {build.latest}"
    return image


def make(release: Release, archive: bytes, on_change: Callable[[str], None]) -> Iterator[str]:
    """Creates what is missing, and reports each thing once it exists. After an interruption the next call finishes.

    `archive`: `Sources.archive`. Raises InputError, ServiceError.
    """
    image = yield from make_image(release.build, archive, on_change)
    specs = release.specs(image)
    for name in unpublished(specs, release.destination):
        publish({name: specs[name]}, release.destination)
        yield f"template {name}"
