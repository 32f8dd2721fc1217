"""The image of the steps, built by Cloud Build from the sources; found again by their hash, and then not built."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_vllm.config.names import IMAGES_REPOSITORY
from vertex_vllm.errors import ServiceError
from vertex_vllm.google_errors import enable_api, google_errors, words
from vertex_vllm.lifecycle.ownership import MANAGED_BY
from vertex_vllm.publishing.images import find_digest
from vertex_vllm.retries import TransientError, with_retries

if TYPE_CHECKING:
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.devtools.cloudbuild_v1.types import CreateBuildRequest

# kfp.local looks for "python" in an image's name.
_IMAGE = "python-steps"
_BUILDER = "gcr.io/cloud-builders/docker"
# Installing the packages takes two minutes on a machine of Cloud Build's default type.
_TIMEOUT_SECONDS = 1800
_POLL_SECONDS = 2.0
# An account that was just made takes up to a minute or two to be known everywhere (IAM, "Create service accounts").
_PATIENCE_SECONDS = 180
_UNFINISHED = frozenset({"PENDING", "QUEUED", "WORKING"})


@dataclass(frozen=True)
class ImageBuild:
    """Everything that a build is made of, the archive of the sources apart."""

    project: str
    region: str
    bucket: str
    """Holds the sources."""
    digest: str
    """`Sources.digest`"""
    service_account: str
    """Email of the account that reads the sources and pushes the image."""
    commit: str = ""
    """Of the sources; empty where no commit is exactly them."""

    @property
    def tag(self) -> str:
        return f"sources-{self.digest}"

    @property
    def image(self) -> str:
        """Without a tag."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{IMAGES_REPOSITORY}/{_IMAGE}"

    @property
    def tagged(self) -> str:
        return f"{self.image}:{self.tag}"

    @property
    def object_name(self) -> str:
        return f"sources/{self.digest}.tar.gz"

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"


def create_build_request(build: ImageBuild) -> "CreateBuildRequest":
    """What Cloud Build is asked for."""
    from google.cloud.devtools.cloudbuild_v1.types import (
        Build,
        BuildOptions,
        BuildStep,
        CreateBuildRequest,
        Source,
        StorageSource,
    )

    labels = {"managed-by": MANAGED_BY}
    if build.commit:
        labels["org.opencontainers.image.revision"] = build.commit
    options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    return CreateBuildRequest(
        parent=build.parent,
        project_id=build.project,
        build=Build(
            source=Source(storage_source=StorageSource(bucket=build.bucket, object_=build.object_name)),
            steps=[BuildStep(name=_BUILDER, args=["build", "--tag", build.tagged, *options, "."])],
            images=[build.tagged],
            tags=[MANAGED_BY, build.tag, *([f"commit-{build.commit}"] if build.commit else [])],
            service_account=f"projects/{build.project}/serviceAccounts/{build.service_account}",
            timeout={"seconds": _TIMEOUT_SECONDS},
            # With an account of one's own, Cloud Build wants to be told where the log goes.
            options=BuildOptions(logging=BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY),
        ),
    )


def find_image(build: ImageBuild) -> str | None:
    """The image by digest; None where nobody has built these sources. Raises ServiceError."""
    digest = find_digest(build.tagged)
    return f"{build.image}@{digest}" if digest else None


def build_image(build: ImageBuild, archive: bytes, on_change: Callable[[str], None] = lambda text: None) -> str:
    """Builds and pushes the image, and returns it by digest; a build of these sources that runs already is waited for.

    `on_change` is told what goes on. Broken off, the build goes on, and the next call finds it or its image.
    Raises ServiceError with the log's address.
    """
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

    with google_errors("Cloud Build", build.parent):
        client = CloudBuildClient()
        found = _running(client, build)
        if found is None:
            _upload(build, archive)
            found = _create(client, build)
        return _wait(client, build, found, on_change)


def _upload(build: ImageBuild, archive: bytes) -> None:
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.storage import Client

    blob = Client(project=build.project).bucket(build.bucket).blob(build.object_name)
    try:
        blob.upload_from_string(archive, content_type="application/gzip", checksum="crc32c", if_generation_match=0)
    except PreconditionFailed:
        return  # its name is its content's hash


def _running(client: "CloudBuildClient", build: ImageBuild) -> Any:
    """An earlier call's build that has not ended; None where there is none."""
    request = {"parent": build.parent, "project_id": build.project, "filter": f'tags="{build.tag}"'}
    return next((found for found in client.list_builds(request=request) if found.status.name in _UNFINISHED), None)


def _create(client: "CloudBuildClient", build: ImageBuild) -> Any:
    from google.api_core.exceptions import GoogleAPICallError

    def create() -> Any:
        try:
            return client.create_build(request=create_build_request(build)).metadata.build
        except GoogleAPICallError as error:
            if enable_api(error) or build.service_account in words(error):
                raise TransientError(words(error)) from error
            raise

    try:
        return with_retries(create, seconds=_PATIENCE_SECONDS)
    except TransientError as error:
        raise ServiceError(f"Cloud Build: {error}", where=build.parent, fix="Run this again in a minute.") from error


def _wait(client: "CloudBuildClient", build: ImageBuild, found: Any, on_change: Callable[[str], None]) -> str:
    on_change(f"building {build.tagged}, log: {found.log_url}")
    told = ""
    while True:
        found = client.get_build(request={"name": found.name, "project_id": build.project, "id": found.id})
        if found.status.name != told:
            told = found.status.name
            on_change(f"build {found.id}: {told}")
        if told not in _UNFINISHED:
            break
        time.sleep(_POLL_SECONDS)
    digest = next((image.digest for image in found.results.images if image.name == build.tagged), "")
    if told != "SUCCESS" or not digest:
        reason = found.failure_info.detail or found.status_detail or "it pushed no image"
        raise ServiceError(
            f"build {found.id} ended as {told}: {reason}", where=build.tagged, fix=f"Log: {found.log_url}"
        )
    return f"{build.image}@{digest}"
