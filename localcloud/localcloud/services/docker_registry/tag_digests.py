"""Digests of images: of the repositories of this cloud, and of the images that a program of this machine stands for.

No image has layers here, so the digest of one that nobody built here is made of its name. A digest that was told is
kept with its tag: a Model that names it finds the program of the tag.
"""

import hashlib
import re

from google.protobuf.wrappers_pb2 import StringValue

from localcloud.containers.programs import find_image
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.method_permissions import require
from localcloud.core.store import Kind
from localcloud.services.artifact_registry.packages import TAGS, VERSIONS
from localcloud.services.artifact_registry.repositories import REPOSITORIES

_TOLD = Kind("image by digest", StringValue)
# OCI Distribution Specification 1.1, "Pulling manifests".
_TAG, _DIGEST = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"), re.compile(r"sha256:[0-9a-f]{64}")
_OF_ARTIFACT_REGISTRY = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>.+)"
)


def digest_of(cloud: Cloud, name: str, reference: str) -> str:
    """`sha256:…` of the image `name` by `reference`, a tag or a digest, where `name` begins with the registry's host.

    Raises ApiError NOT_FOUND for an image that does not exist, PERMISSION_DENIED where the caller may not read it.
    """
    by_digest = _DIGEST.fullmatch(reference) is not None
    digest = _in_repository(cloud, name, reference)
    if by_digest and (digest or cloud.store.get(_TOLD, f"{name}@{reference}") is not None):
        return reference
    if by_digest or not _TAG.fullmatch(reference):
        raise ApiError("NOT_FOUND", f"Failed to fetch {reference!r}")
    digest = digest or _of_program(cloud, f"{name}:{reference}")
    cloud.store.put(_TOLD, f"{name}@{digest}", StringValue(value=f"{name}:{reference}"))
    return digest


def tagged(cloud: Cloud, image: str) -> str:
    """The image by the tag for which its digest was told; `image` itself where none was."""
    told = cloud.store.get(_TOLD, image)
    return str(told.value) if told else image


def _in_repository(cloud: Cloud, name: str, reference: str) -> str:
    """Empty for an image of a repository that this cloud does not have: it is taken for a public one."""
    found = _OF_ARTIFACT_REGISTRY.fullmatch(name)
    if found is None:
        return ""
    repository = f"projects/{found['project']}/locations/{found['location']}/repositories/{found['repository']}"
    if cloud.store.get(REPOSITORIES, repository) is None:
        return ""
    require(cloud, "docker-registry/pull", repository)
    package = f"{repository}/packages/{found['image'].replace('/', '%2F')}"
    if cloud.store.get(VERSIONS, f"{package}/versions/{reference}") is not None:
        return reference
    stored = cloud.store.get(TAGS, f"{package}/tags/{reference}")
    if stored is None:
        raise ApiError("NOT_FOUND", f"Failed to fetch {reference!r}")
    return str(stored.version).rpartition("/")[2]


def _of_program(cloud: Cloud, image: str) -> str:
    try:
        find_image(image, cloud.image_files)
    except ApiError as error:
        raise ApiError("NOT_FOUND", error.message) from error
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
