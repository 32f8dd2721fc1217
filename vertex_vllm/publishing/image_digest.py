"""The image of the steps by digest, since a tag may move to another image."""

import re

from vertex_vllm.errors import InputError
from vertex_vllm.google.error_boundary import enable_api, google_errors, refusal_of
from vertex_vllm.google.shared_clients import google_client

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
# Artifact Registry, "Repository and image names": LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG.
_TAGGED = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/:@\s]+)/(?P<repository>[a-z0-9-]+)/(?P<image>[^:@\s]+)"
    r"(:(?P<tag>[\w][\w.-]{0,127}))?"
)


def pinned(image: str) -> str:
    """`image` by digest: as it is where it names one, else what its tag points at now in Artifact Registry.

    Raises InputError for an image that is neither by digest nor in Artifact Registry, or that is not there;
    ServiceError when Artifact Registry fails.
    """
    if _DIGEST.fullmatch(image):
        return image
    digest = _version_of(tag_name(image), image).rpartition("/")[2]
    return f"{image.partition(':')[0]}@{digest}"


def digest_of(image: str) -> str:
    """`sha256:…` of an image that is pinned by it."""
    return image.rpartition("@")[2]


def find_digest(image: str) -> str | None:
    """`sha256:…` that the tag of an image in Artifact Registry points at; None where the tag does not exist.

    Raises ServiceError, and InputError as `tag_name`.
    """
    return find_version(tag_name(image))


def find_version(tag: str) -> str | None:
    """Id of the version that a tag (its resource name) is on; None where the tag does not exist or the API is not
    enabled.

    Raises ServiceError.
    """
    from google.api_core.exceptions import Forbidden, NotFound
    from google.cloud.artifactregistry_v1 import ArtifactRegistryClient

    with google_errors("Artifact Registry", tag):
        try:
            return str(google_client(ArtifactRegistryClient).get_tag(name=tag).version).rpartition("/")[2]
        except NotFound:
            return None
        except Forbidden as error:
            if enable_api(refusal_of(error)):
                return None
            raise


def point_tag(image: str, digest: str) -> bool:
    """Puts the tag of an image in Artifact Registry on the version `digest`; False where it is there already.

    Raises ServiceError, and InputError as `tag_name`.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.artifactregistry_v1 import ArtifactRegistryClient, Tag

    name = tag_name(image)
    package, _, tag_id = name.rpartition("/tags/")
    with google_errors("Artifact Registry", image):
        client = google_client(ArtifactRegistryClient)
        wanted = Tag(name=name, version=f"{package}/versions/{digest}")
        try:
            if str(client.get_tag(name=name).version).rpartition("/")[2] == digest:
                return False
            client.update_tag(tag=wanted, update_mask="version")
        except NotFound:
            client.create_tag(parent=package, tag=wanted, tag_id=tag_id)
    return True


def tag_name(image: str) -> str:
    """Resource name of the tag of an image in Artifact Registry; `latest` where none is written. Raises InputError."""
    found = _TAGGED.fullmatch(image)
    if found is None:
        raise InputError(
            f"`{image}` is not pinned by digest",
            where="--image",
            fix="Write IMAGE@sha256:DIGEST, as `docker push` prints it, or an image in Artifact Registry with a tag.",
        )
    repository = f"projects/{found['project']}/locations/{found['location']}/repositories/{found['repository']}"
    package = found["image"].replace("/", "%2F")
    return f"{repository}/packages/{package}/tags/{found['tag'] or 'latest'}"


def _version_of(tag: str, image: str) -> str:
    from google.api_core.exceptions import NotFound, PermissionDenied
    from google.cloud.artifactregistry_v1 import ArtifactRegistryClient

    with google_errors("Artifact Registry", image):
        try:
            return str(google_client(ArtifactRegistryClient).get_tag(name=tag).version)
        except (NotFound, PermissionDenied) as error:
            raise InputError(
                f"no such image, or this account may not read it: {refusal_of(error).words}",
                where=image,
                refusal=refusal_of(error),
                fix="Build and push it (docs/google-cloud.md), and give us roles/artifactregistry.reader.",
            ) from error
