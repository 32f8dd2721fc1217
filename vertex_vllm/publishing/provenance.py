"""Compares an image's provenance, signed by Google, and Cloud Build's record of the build with these sources."""

import gzip
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.google.artifact_analysis import build_occurrences
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.kms import KmsKey
from vertex_vllm.google.shared_clients import google_client
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.publishing.signed_provenance import Provenance, ProvenanceFaultError, verified_provenance
from vertex_vllm.retries import TransientError, with_retries

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

# A build of 2023-08-08 ended at 18:40:29 and had its provenance at 18:40:33.
_PATIENCE_SECONDS = 60


def require_signed_provenance(
    image: str, project: str, bucket: str, name: str, archive: bytes, patience: float = _PATIENCE_SECONDS
) -> None:
    """Raises ServiceError unless Google signed that a build of exactly these sources pushed `image`.

    `image`: `NAME@sha256:DIGEST`; any account that may push can have moved our tag to it. `bucket`, `name`: of the
    object with the archive. `patience`: seconds to wait for provenance that is missing at first.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

    found = _provenance(image, project, patience)
    with google_errors("Cloud Build", found.build):
        try:
            build = google_client(CloudBuildClient).get_build(request={"name": found.build})
        except NotFound as error:
            raise _not_ours(image, f"is of a build that is gone, {found.build}") from error
    if image.rpartition("@")[2] not in {each.digest for each in build.results.images}:
        raise _not_ours(image, f"is of a build that pushed other images, {found.build}")
    require_provenance(bucket, name, archive, build)


@cache
def require_built_here(image: str, project: str, region: str) -> None:
    """Raises ServiceError unless Google signed that a build of Cloud Build in `project` pushed `image`.

    `image`: `NAME@sha256:DIGEST`, which never changes: a process asks once. Costs a list of occurrences and a public
    key. Whoever may push to the repository can point a tag at an image of their own; builds are the owner's.
    """
    fix = (
        f"Find out who pushed it, delete its tags, and run `vertex-vllm bootstrap --project {project} "
        f"--region {region}`: it builds the image anew. An image of your own: --image IMAGE@sha256:DIGEST."
    )
    found = _provenance(image, project, patience=0, fix=fix)
    if found.build.split("/")[1] != project:
        raise _unproven(image, f"a build of its project: its provenance is of {found.build}", fix)


def _provenance(image: str, project: str, patience: float, fix: str = "") -> Provenance:
    def look() -> Provenance:
        occurrences = list(build_occurrences(project, image))
        if not occurrences:
            raise TransientError("is missing")
        return verified_provenance(image, occurrences, _public_key)

    with google_errors("Artifact Analysis", image):
        try:
            return with_retries(look, seconds=patience)
        except (TransientError, ProvenanceFaultError) as fault:
            if fix:
                raise _unproven(image, f"Cloud Build: its provenance {fault}", fix) from fault
            raise _not_ours(image, str(fault)) from fault


def _public_key(name: str) -> "EllipticCurvePublicKey":
    try:
        return KmsKey(name).public_key
    except InputError as error:
        raise ServiceError(
            f"the key that provenance is verified with cannot be read: {error.message}",
            where=name,
            fix="Every Google account may read it once the API cloudkms.googleapis.com is enabled in the project.",
        ) from error


def _not_ours(image: str, fault: str) -> ServiceError:
    return ServiceError(
        f"the image was not shown to be built from these sources: its provenance {fault}",
        where=image,
        fix="Find out who pushed it, delete its tags, and run this again: it is then built anew.",
    )


def _unproven(image: str, fault: str, fix: str) -> ServiceError:
    return ServiceError(f"the image was not shown to come from {fault}", where=image, fix=fix)


def require_provenance(bucket: str, name: str, archive: bytes, build: Any) -> None:
    """Raises ServiceError unless the finished `build` read exactly these sources, by Cloud Build's own record.

    `bucket`, `name`: of the object with the archive. Another build of the same tag, or another generation of the
    object, would give an image of other code, which runs as the pipelines' account.
    """
    read = build.source_provenance.resolved_storage_source
    where = f"gs://{read.bucket}/{read.object_}#{read.generation}"
    if (read.bucket, read.object_) != (bucket, name) or not read.generation:
        raise _other_sources(f"it read {where}", build)
    content = _generation(build.project_id, bucket, name, read.generation)
    if content is None or not same_sources(content, archive):
        raise _other_sources(f"{where} holds another archive, or is gone", build)
    # Cloud Build names them where it was asked for them, as `gs://BUCKET/OBJECT#GENERATION`.
    hashes = [one.value for files in build.source_provenance.file_hashes.values() for one in files.file_hash]
    if hashlib.sha256(content).digest() not in hashes:
        raise _other_sources(f"the hash that it recorded is not that of {where}", build)


def same_sources(one: bytes, other: bytes) -> bool:
    """Whether two archives hold the same tar: compressors differ between versions."""
    return one == other or _tar(one) == _tar(other)


def _tar(archive: bytes) -> bytes:
    """The tar of a gzipped archive; other bytes unchanged."""
    try:
        return gzip.decompress(archive)
    except (OSError, EOFError):
        return archive


def _generation(project: str, bucket: str, name: str, generation: int) -> bytes | None:
    from google.api_core.exceptions import NotFound

    try:
        return bytes(storage_client(project).bucket(bucket).blob(name, generation=generation).download_as_bytes())
    except NotFound:
        return None


def _other_sources(what: str, build: Any) -> ServiceError:
    return ServiceError(
        f"build {build.id} was not made from these sources: {what}",
        where=build.log_url,
        fix="Find out who began it, delete its image, and run this again.",
    )
