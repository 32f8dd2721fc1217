"""Builds the image of the steps with Cloud Build, unless an image with the hash of the sources exists."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import ServiceError
from vertex_vllm.google.error_boundary import enable_api, google_errors, refusal_of, worded
from vertex_vllm.google.regional_hosts import docker_registry
from vertex_vllm.google.shared_clients import google_client
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.labels import MANAGED_BY, MANAGED_BY_LABEL
from vertex_vllm.polling import poll_until
from vertex_vllm.project_names import IMAGES_REPOSITORY
from vertex_vllm.publishing.image_digest import find_digest
from vertex_vllm.publishing.provenance import require_provenance, same_sources
from vertex_vllm.retries import TransientError, with_retries

if TYPE_CHECKING:
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.devtools.cloudbuild_v1.types import CreateBuildRequest

# kfp.local looks for "python" in an image's name.
_IMAGE = "python-steps"
LATEST = "latest"
"""Tag of the image that bootstrap built, or found, last: for callers without sources."""
_BUILDER = "gcr.io/cloud-builders/docker@sha256:3d00b6c1a9b862621c30fc74d4f2abfc62bcbdee631ed3febd31e7edbdf6252c"
# Installing the packages takes two minutes on a machine of Cloud Build's default type.
_TIMEOUT_SECONDS = 1800
# A build of minutes is asked about every two seconds, one that has been done before soon.
# An account that was just made takes up to a minute or two to be known everywhere (IAM, "Create service accounts").
_PATIENCE_SECONDS = 180
_UNFINISHED = frozenset({"PENDING", "QUEUED", "WORKING"})


def steps_image(project: str, region: str) -> str:
    """Name of the steps' image in a project's Artifact Registry, without a tag."""
    return f"{docker_registry(region)}/{project}/{IMAGES_REPOSITORY}/{_IMAGE}"


def sources_tag(digest: str) -> str:
    """Tag of the image that was built from the sources of `Sources.digest`."""
    return f"sources-{digest}"


@dataclass(frozen=True)
class ImageBuild:
    """The parameters of a build, without the archive of the sources."""

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
    build_region: str = ""
    """Where Cloud Build runs; empty: `region`."""

    @property
    def tag(self) -> str:
        return sources_tag(self.digest)

    @property
    def image(self) -> str:
        """Without a tag."""
        return steps_image(self.project, self.region)

    @property
    def tagged(self) -> str:
        return f"{self.image}:{self.tag}"

    @property
    def latest(self) -> str:
        return f"{self.image}:{LATEST}"

    @property
    def object_name(self) -> str:
        return f"sources/{self.digest}.tar.gz"

    def bill_name(self, image: str) -> str:
        """Name of the object with the bill of materials of `image`, `NAME@sha256:DIGEST`."""
        return f"bills/{image.rpartition('/')[2].replace('@sha256:', '-')}.cdx.json"

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.build_region or self.region}"


def create_build_request(build: ImageBuild, generation: int = 0) -> "CreateBuildRequest":
    """The request to Cloud Build.

    `generation`: of the archive, so that it cannot be replaced before it is read; 0: not uploaded yet.
    """
    from google.cloud.devtools.cloudbuild_v1.types import (
        Build,
        BuildOptions,
        BuildStep,
        CreateBuildRequest,
        Hash,
        Source,
        StorageSource,
    )

    labels = {MANAGED_BY_LABEL: MANAGED_BY}
    if build.commit:
        labels["org.opencontainers.image.revision"] = build.commit
    options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    return CreateBuildRequest(
        parent=build.parent,
        project_id=build.project,
        build=Build(
            source=Source(
                storage_source=StorageSource(bucket=build.bucket, object_=build.object_name, generation=generation)
            ),
            steps=[BuildStep(name=_BUILDER, args=["build", "--tag", build.tagged, *options, "."])],
            images=[build.tagged],
            tags=[MANAGED_BY, build.tag, *([f"commit-{build.commit}"] if build.commit else [])],
            service_account=f"projects/{build.project}/serviceAccounts/{build.service_account}",
            timeout={"seconds": _TIMEOUT_SECONDS},
            options=BuildOptions(
                # With a service account of its own, a build must name the place of its log.
                logging=BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY,
                # Signed provenance of the image in Artifact Analysis, or the build fails; and the archive's hash.
                requested_verify_option=BuildOptions.VerifyOption.VERIFIED,
                source_provenance_hash=[Hash.HashType.SHA256],
            ),
        ),
    )


def find_image(build: ImageBuild) -> str | None:
    """The image by digest; None where no image was built from these sources. Raises ServiceError."""
    digest = find_digest(build.tagged)
    return f"{build.image}@{digest}" if digest else None


def build_image(build: ImageBuild, archive: bytes, on_change: Callable[[str], None] = lambda text: None) -> str:
    """Builds and pushes the image, and returns it by digest; joins an active build of these sources.

    `on_change` receives the build's progress. After an interruption the build continues, and the next call finds it or
    its image.
    Raises ServiceError with the log's address.
    """
    from google.api_core.exceptions import FailedPrecondition
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

    elsewhere = replace(build, build_region=open_region(build.region))
    with google_errors("Cloud Build", build.parent):
        client = google_client(CloudBuildClient)
        found = _running(client, build) or (None if build.build_region else _running(client, elsewhere))
        if found is None:
            with google_errors("Cloud Storage", f"gs://{build.bucket}"):
                generation = _upload(build, archive)
            try:
                found = _create(client, build, generation)
            except FailedPrecondition as error:
                refusal = refusal_of(error)
                if build.build_region or not worded(refusal, "build-region-restricted"):
                    raise
                said = f"no builds in {build.region} for this project ({refusal.words})"
                on_change(f"{said}: building in another region")
                found = _create(client, elsewhere, generation)
        ended, digest = _wait(client, build, found, on_change)
        require_provenance(build.bucket, build.object_name, archive, ended)
        return f"{build.image}@{digest}"


@cache
def _regions() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("build_regions.yaml").read_text(encoding="utf-8"))
    return table


def open_region(region: str) -> str:
    """Nearest region in which every project may build."""
    table = _regions()
    nearest: dict[str, str] = table["nearest"]
    return region if region in table["open"] else nearest.get(region.partition("-")[0], nearest["other"])


def _upload(build: ImageBuild, archive: bytes) -> int:
    """Generation of the object that holds exactly these sources."""
    from google.api_core.exceptions import PreconditionFailed

    blob = storage_client(build.project).bucket(build.bucket).blob(build.object_name)
    try:
        blob.upload_from_string(archive, content_type="application/gzip", checksum="crc32c", if_generation_match=0)
    except PreconditionFailed as error:
        # Anybody may write an object of that name: its bytes are compared, because the image runs as the pipelines'
        # account.
        blob.reload()
        if not same_sources(blob.download_as_bytes(if_generation_match=blob.generation), archive):
            raise ServiceError(
                "another archive has the name of these sources",
                where=f"gs://{build.bucket}/{build.object_name}",
                fix="Find out who wrote it, delete it, and run this again.",
            ) from error
    return int(blob.generation)


def _running(client: "CloudBuildClient", build: ImageBuild) -> Any:
    """An earlier call's build that has not ended; None where there is none."""
    request = {"parent": build.parent, "project_id": build.project, "filter": f'tags="{build.tag}"'}
    return next((found for found in client.list_builds(request=request) if found.status.name in _UNFINISHED), None)


def _create(client: "CloudBuildClient", build: ImageBuild, generation: int) -> Any:
    from google.api_core.exceptions import GoogleAPICallError

    refusal = Refusal("")

    def create() -> Any:
        nonlocal refusal
        try:
            return client.create_build(request=create_build_request(build, generation)).metadata.build
        except GoogleAPICallError as error:
            refusal = refusal_of(error)
            named = worded(refusal, "service-account")
            if enable_api(refusal) or (named and named["account"] == build.service_account):
                raise TransientError(refusal.words) from error
            raise

    try:
        return with_retries(create, seconds=_PATIENCE_SECONDS)
    except TransientError as error:
        fix = _grants(build, refusal) or "Run this again in a minute."
        raise ServiceError(f"Cloud Build: {error}", where=build.parent, fix=fix, refusal=refusal) from error


def _wait(
    client: "CloudBuildClient", build: ImageBuild, found: Any, on_change: Callable[[str], None]
) -> tuple[Any, str]:
    """The build that succeeded, and the digest of its image."""
    on_change(f"building {build.tagged}, log: {found.log_url}")
    told = ""

    def look() -> Any:
        nonlocal told
        seen = client.get_build(request={"name": found.name, "project_id": build.project, "id": found.id})
        if seen.status.name != told:
            told = seen.status.name
            on_change(f"build {seen.id}: {told}")
        return seen

    ended = poll_until(lambda seen: seen.status.name not in _UNFINISHED, look)
    digest = next((image.digest for image in ended.results.images if image.name == build.tagged), "")
    if told != "SUCCESS" or not digest:
        reason = ended.failure_info.detail or ended.status_detail or "it pushed no image"
        fix = f"{_grants(build, Refusal(told, reason))} Log: {ended.log_url}".strip()
        raise ServiceError(f"build {ended.id} ended as {told}: {reason}", where=build.tagged, fix=fix)
    return ended, digest


def _grants(build: ImageBuild, refusal: Refusal) -> str:
    """The command that gives the build's account its grants; empty where no permission is the cause."""
    if not worded(refusal, "permission-missing"):
        return ""
    command = f"vertex-vllm bootstrap --project {build.project} --region {build.region}"
    return f"Run `{command}`: it grants {build.service_account} what it needs."
