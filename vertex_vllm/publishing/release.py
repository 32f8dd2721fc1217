"""A release of the sources: the image of the steps, and the specs that name it."""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.publishing.building import ImageBuild, build_image, find_image
from vertex_vllm.publishing.image_bill import bill_of_archive
from vertex_vllm.publishing.image_digest import digest_of, find_digest, point_tag
from vertex_vllm.publishing.provenance import require_signed_provenance
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
    """Names, for a person, of the things that `make` would create. Raises ServiceError."""
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

    Its signed provenance is verified each time, whoever built it. Yields each thing once it is made. Raises as `make`.
    """
    found = find_image(build)
    image = found or build_image(build, archive, on_change)
    patience = {"patience": 0.0} if found else {}
    require_signed_provenance(image, build.project, build.bucket, build.object_name, archive, **patience)
    if found is None:
        yield f"image {image}"
    if write_bill(build, image, archive):
        yield f"bill of materials gs://{build.bucket}/{build.bill_name(image)}"
    if point_tag(build.latest, digest_of(image)):
        yield f"tag {build.latest}"
    return image


def write_bill(build: ImageBuild, image: str, archive: bytes) -> bool:
    """Writes the image's bill of materials beside its sources.

    `image`: `NAME@sha256:DIGEST`. Returns False where the bill was written before, or the sources list no packages.
    Raises ServiceError, BucketError.
    """
    bill = bill_of_archive(archive, image).encode()
    with google_errors("Cloud Storage", f"gs://{build.bucket}"):
        blob = storage_client(build.project).bucket(build.bucket).blob(build.bill_name(image))
        if not bill or (blob.exists() and blob.download_as_bytes() == bill):
            return False
        blob.upload_from_string(bill, content_type="application/vnd.cyclonedx+json", checksum="crc32c")
    return True


def make(release: Release, archive: bytes, on_change: Callable[[str], None]) -> Iterator[str]:
    """Creates what is missing, and reports each thing once it exists. After an interruption the next call finishes.

    `archive`: `Sources.archive`. Raises InputError, ServiceError.
    """
    image = yield from make_image(release.build, archive, on_change)
    specs = release.specs(image)
    for name in unpublished(specs, release.destination):
        publish({name: specs[name]}, release.destination)
        yield f"template {name}"
