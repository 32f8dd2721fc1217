"""Digests of images, asked of the registry by its own protocol: an image by its tag becomes an image by its digest."""

import re

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.iam import own_member
from vertex_vllm.google.shared_clients import default_credentials
from vertex_vllm.retries import TransientError, with_retries

# The access token of the caller is sent to these hosts of Google alone.
_HOST = r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)"
# OCI's distribution specification, "Pulling manifests"; Artifact Registry: LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/…
_PART = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*"
_TAGGED = re.compile(rf"(?P<host>{_HOST})/(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?")
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        *("oci.image.index.v1", "docker.distribution.manifest.list.v2"),
        *("oci.image.manifest.v1", "docker.distribution.manifest.v2"),
    )
)
_SECONDS = 30
_PATIENCE_SECONDS = 60
WHERE = "serving.image"


def by_digest(image: str) -> str:
    """`NAME@sha256:DIGEST` of the manifest that the tag of `image` points at now; `latest` where it has none.

    One call, as the caller. Raises InputError for an image that is not in Artifact Registry or Container Registry, does
    not exist or may not be read; ServiceError, UnreachableError.
    """
    found = _TAGGED.fullmatch(image)
    if found is None:
        raise InputError(
            f"`{image}` is not an image in Artifact Registry or Container Registry",
            where=WHERE,
            fix="Write REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE with :TAG or @sha256:DIGEST.",
        )
    address = f"https://{found['host']}/v2/{found['path']}/manifests/{found['tag'] or 'latest'}"
    with google_errors("the registry of images", image):
        try:
            digest = with_retries(lambda: _digest_at(address, image), seconds=_PATIENCE_SECONDS)
        except TransientError as error:
            raise ServiceError(f"the registry gave no digest: {error}", where=image, fix="Run this again.") from error
    return f"{found['host']}/{found['path']}@{digest}"


def _digest_at(address: str, image: str) -> str:
    import requests
    from google.auth.transport.requests import AuthorizedSession

    with AuthorizedSession(default_credentials()) as session:
        # A redirect would lead to another host: it is not followed.
        answer = session.head(address, headers={"Accept": _MANIFESTS}, timeout=_SECONDS, allow_redirects=False)
    status, digest = answer.status_code, str(answer.headers.get("Docker-Content-Digest", ""))
    if status == requests.codes.ok and _DIGEST.fullmatch(digest):
        return digest
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        raise TransientError(f"it answered {status}")
    if status == requests.codes.not_found:
        raise InputError("no such image or tag", where=image, fix=f"Name another in {WHERE}, or leave it out.")
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        raise InputError(
            "this account may not read the image: artifactregistry.repositories.downloadArtifacts",
            where=image,
            fix=_grant(image),
        )
    raise ServiceError(f"the registry answered {status} without a digest", where=image, fix="Name it by digest.")


def _grant(image: str) -> str:
    """The command that lets this account read the image."""
    place = re.match(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/", image)
    if place is None:
        return f"Grant {own_member()} roles/artifactregistry.reader, or name the image by digest."
    return (
        f"`gcloud artifacts repositories add-iam-policy-binding {place['repository']} --project={place['project']} "
        f"--location={place['location']} --member={own_member()} --role=roles/artifactregistry.reader`, or name the "
        "image by digest."
    )
