"""Cloud Build: builds that are checked and end with an image's digest, without a Docker engine.

A build's source must exist and hold the Dockerfile that its step names; its images are then listed in Artifact
Registry with a digest made from the source. No step is run, and no layer exists.
"""

import gzip
import hashlib
import json
import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from google.cloud.devtools.cloudbuild_v1.types import (
    Build,
    BuildOperationMetadata,
    BuildOptions,
    BuiltImage,
    Hash,
    ListBuildsResponse,
    StorageSource,
)
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import member_of
from localcloud.core.cloud import Cloud, Part
from localcloud.core.operation_run import OperationRun
from localcloud.core.paging import page
from localcloud.core.permissions.accounts import compute_account, exists
from localcloud.core.permissions.decisions import has
from localcloud.core.registration import Service
from localcloud.core.store import Kind
from localcloud.services.artifact_analysis.build_occurrences import record_build
from localcloud.services.artifact_registry.packages import put_version
from localcloud.services.artifact_registry.repositories import repository_of
from localcloud.services.cloud_build.build_sources import (
    BuildFailedError,
    dockerfile_of,
    files_of,
    read_object,
    refusal,
)
from localcloud.services.iam.acting import may_act_as

BUILDS = Kind("build", Build.pb())
_HELD = Kind("builds held", BoolValue)

_PARENT = re.compile(r"projects/[^/]+/locations/[a-z0-9-]+")
_IMAGE = re.compile(
    r"(?P<region>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>[^:@]+)"
)
_TAG = re.compile(r"[\w][\w.-]{0,127}")
_DEFAULT_TIMEOUT_SECONDS = 3600
_STORAGE_SECONDS = 30
_PUSH = "artifactregistry.repositories.uploadArtifacts"
_WRITE_LOG = "logging.logEntries.create"
_POLL_SECONDS = 0.05
_STATUS = Build.Status
_ENDED = (_STATUS.SUCCESS, _STATUS.FAILURE, _STATUS.INTERNAL_ERROR, _STATUS.TIMEOUT, _STATUS.CANCELLED)
_LOGGED_APART = (BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY, BuildOptions.LoggingMode.NONE)

service = Service("google.devtools.cloudbuild.v1.CloudBuild")


class InterruptedBuilds(Part):
    """Ends the builds that an earlier daemon left unfinished."""

    def start(self) -> None:
        reason = "The local cloud was stopped while this was running."
        for build in self._cloud.store.list(BUILDS):
            if build.status not in _ENDED:
                _end(self._cloud, build.name, _STATUS.INTERNAL_ERROR, reason)


def hold(cloud: Cloud, held: bool) -> None:
    """While `held`, builds stay WORKING; they can be cancelled."""
    cloud.store.put(_HELD, "all", BoolValue(value=held))


@service.method("CreateBuild")
def create_build(request: Any, cloud: Cloud) -> Message:
    parent = _parent(request, cloud)
    build = Build.pb()()
    build.CopyFrom(request.build)
    build.project_id = cloud.project_id(parent.split("/")[1])
    _check(build, cloud)
    build.id = str(uuid.UUID(cloud.ids.hex()))
    build.name = f"{parent}/builds/{build.id}"
    build.status = _STATUS.QUEUED
    build.log_url = (
        f"https://console.cloud.google.com/cloud-build/builds;region={parent.rpartition('/')[2]}/{build.id}"
        f"?project={parent.split('/')[1]}"
    )
    build.create_time.CopyFrom(cloud.timestamp())
    if not build.HasField("timeout"):
        build.timeout.seconds = _DEFAULT_TIMEOUT_SECONDS
    cloud.store.insert(BUILDS, build.name, build)
    return cloud.operations.start(
        parent, metadata=BuildOperationMetadata.pb()(build=build), run=lambda handle: _run(cloud, build.name, handle)
    )


@service.method("GetBuild")
def get_build(request: Any, cloud: Cloud) -> Message:
    return cloud.store.require(BUILDS, _name(request, cloud))


@service.method("ListBuilds")
def list_builds(request: Any, cloud: Cloud) -> Message:
    """Lists the newest builds first."""
    builds = sorted(
        cloud.store.list(BUILDS, _parent(request, cloud)), key=lambda build: -build.create_time.ToNanoseconds()
    )
    chosen, token = page(builds, request, {"build_id": lambda build: str(build.id)})
    return ListBuildsResponse.pb()(builds=chosen, next_page_token=token)


@service.method("CancelBuild")
def cancel_build(request: Any, cloud: Cloud) -> Message:
    name = _name(request, cloud)
    with cloud.store.update(BUILDS, name) as build:
        if build.status in _ENDED:
            raise ApiError("FAILED_PRECONDITION", f"build {build.id} has ended: {_STATUS(build.status).name}.")
        build.status = _STATUS.CANCELLED
        build.finish_time.CopyFrom(cloud.timestamp())
    return build


def _check(build: Any, cloud: Cloud) -> None:
    """Raises ApiError INVALID_ARGUMENT in the words of the service."""
    if not build.steps:
        raise refusal("invalid build: no build steps specified.")
    for tag in build.tags:
        if not _TAG.fullmatch(tag):
            raise refusal(f"invalid build: invalid build tag {tag!r}.")
    account = _account(build, cloud)
    if build.service_account and not exists(cloud, account):
        raise ApiError("NOT_FOUND", f"Unknown service account {account}.")
    if not may_act_as(cloud, account):
        raise ApiError("PERMISSION_DENIED", f"caller does not have permission to act as service account {account}")
    if build.service_account:
        options = build.options
        if not build.logs_bucket and options.logging not in _LOGGED_APART and not options.default_logs_bucket_behavior:
            raise refusal(
                "if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) "
                "use the REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use "
                "either CLOUD_LOGGING_ONLY / NONE logging options."
            )
    source = build.source.storage_source
    if _has_source(build) and read_object(cloud, source, account, metadata=True) is None:
        raise refusal(f"could not resolve source: Error 404: No such object: {source.bucket}/{source.object_}.")


def _run(cloud: Cloud, name: str, handle: OperationRun) -> Message:
    with cloud.store.update(BUILDS, name) as build:
        if build.status == _STATUS.QUEUED:
            build.status = _STATUS.WORKING
            build.start_time.CopyFrom(cloud.timestamp())
    handle.update(BuildOperationMetadata.pb()(build=build))
    waiting = threading.Event()
    while _is_held(cloud) and cloud.store.require(BUILDS, name).status == _STATUS.WORKING:
        handle.raise_if_cancelled()
        waiting.wait(_POLL_SECONDS)
    try:
        _check_log(cloud, build)
        images = list(_built_images(cloud, build))
    except BuildFailedError as error:
        _end(cloud, name, _STATUS.FAILURE, str(error))
    else:
        _end(cloud, name, _STATUS.SUCCESS, "", images)
    build = cloud.store.require(BUILDS, name)
    handle.update(BuildOperationMetadata.pb()(build=build))
    if build.status != _STATUS.SUCCESS:
        code = "CANCELLED" if build.status == _STATUS.CANCELLED else "UNKNOWN"
        raise ApiError(code, f"Build {build.id} ended: {_STATUS(build.status).name}. {build.status_detail}")
    return build


def _check_log(cloud: Cloud, build: Any) -> None:
    """Raises BuildFailedError where the log is written to Cloud Logging, by an account that may not write there.

    In the words of GoogleCloudPlatform/terraform-google-enterprise-application#120 (2024-05-09). Whether such a build
    continues without a log is doubtful: terraform-genai-knowledge-base#245 (2025-02-19) reports a failure.
    """
    account = _account(build, cloud)
    asked = build.service_account and build.options.logging == BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY
    if asked and not has(cloud, member_of(account), _WRITE_LOG, f"projects/{build.project_id}"):
        raise BuildFailedError(
            f"The service account running this build projects/{build.project_id}/serviceAccounts/{account} does not "
            "have permission to write logs to Cloud Logging. To fix this, grant the Logs Writer "
            "(roles/logging.logWriter) role to the service account."
        )


def _built_images(cloud: Cloud, build: Any) -> Iterator[Any]:
    """Every image of the build by digest, before it is in Artifact Registry."""
    account = _account(build, cloud)
    source = _resolved_source(cloud, build, account) if _has_source(build) else None
    files = files_of(source) if source else set()
    for step in build.steps:
        dockerfile = dockerfile_of(list(step.args))
        if dockerfile and dockerfile not in files:
            raise BuildFailedError(f"failed to read dockerfile: open {dockerfile}: no such file or directory")
    for tagged in build.images:
        match = _IMAGE.match(tagged)
        if match is None:
            raise BuildFailedError(f"{tagged} is not in Artifact Registry")
        repository = f"projects/{match['project']}/locations/{match['region']}/repositories/{match['repository']}"
        try:
            repository_of(cloud, repository)
        except ApiError as error:
            raise BuildFailedError(f"failed to push {tagged}: {error.message}") from error
        if not has(cloud, member_of(account), _PUSH, repository):
            raise BuildFailedError(
                f'failed to push {tagged}: denied: Permission "{_PUSH}" denied on resource "{repository}" '
                "(or it may not exist)"
            )
        digest = hashlib.sha256(gzip.decompress(source or b"") + match["image"].encode()).hexdigest()
        yield BuiltImage.pb()(name=tagged, digest=f"sha256:{digest}")


def _resolved_source(cloud: Cloud, build: Any, account: str) -> bytes | None:
    """The archive; the build then names its generation, and its hash if the build asks for one.

    Form of `fileHashes`: Cloud Build, "View build results", 2026-11-30.
    """
    resolved = StorageSource.pb()()
    resolved.CopyFrom(build.source.storage_source)
    described = read_object(cloud, resolved, account, metadata=True)
    resolved.generation = int(json.loads(described or b"{}").get("generation", 0))
    content = read_object(cloud, resolved, account)
    with cloud.store.update(BUILDS, build.name) as stored:
        stored.source_provenance.resolved_storage_source.CopyFrom(resolved)
        if content is not None and Hash.HashType.SHA256 in build.options.source_provenance_hash:
            place = f"gs://{resolved.bucket}/{resolved.object_}#{resolved.generation}"
            hashes = stored.source_provenance.file_hashes[place].file_hash
            hashes.add(type_=Hash.HashType.SHA256, value=hashlib.sha256(content).digest())
    return content


def _end(cloud: Cloud, name: str, status: Build.Status, detail: str, images: list[Any] | None = None) -> None:
    """Ends the build, unless it was cancelled meanwhile, and pushes its images if nothing failed."""
    with cloud.store.update(BUILDS, name) as build:
        if build.status in _ENDED:
            return
        for image in images or ():
            match = _IMAGE.match(image.name)
            assert match is not None
            repository = f"projects/{match['project']}/locations/{match['region']}/repositories/{match['repository']}"
            package = f"{repository_of(cloud, repository).name}/packages/{match['image'].replace('/', '%2F')}"
            put_version(cloud, package, image.digest, [image.name.partition(":")[2] or "latest"])
        build.results.images.extend(images or ())
        build.status = status
        build.status_detail = detail
        if detail:
            build.failure_info.detail = detail
        build.finish_time.CopyFrom(cloud.timestamp())
        record_build(cloud, build)


def _has_source(build: Any) -> bool:
    return bool(build.source.storage_source.bucket)


def _account(build: Any, cloud: Cloud) -> str:
    """The account that runs the build; since 2024-04-29, Compute Engine's default account if the build names none
    (cloud.google.com/build/docs/cloud-build-service-account-updates)."""
    return build.service_account.rpartition("/")[2] or compute_account(cloud, build.project_id)


def _is_held(cloud: Cloud) -> bool:
    held = cloud.store.get(_HELD, "all")
    return bool(held and held.value)


def _parent(request: Any, cloud: Cloud) -> str:
    """The parent; without a location `global`, as in the service."""
    parent = request.parent or f"projects/{request.project_id}/locations/global"
    if not _PARENT.fullmatch(parent):
        raise refusal(f"invalid parent {parent!r}: it has to be projects/PROJECT/locations/LOCATION.")
    return cloud.canonical(parent)


def _name(request: Any, cloud: Cloud) -> str:
    return cloud.canonical(request.name or f"projects/{request.project_id}/locations/global/builds/{request.id}")
