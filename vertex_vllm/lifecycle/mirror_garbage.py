"""Unused mirrors and abandoned uploads in a bucket, and their deletion."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from vertex_vllm.google.deployment_bucket import check_bucket_name
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.lifecycle.weights_in_use import InUse, look
from vertex_vllm.mirror.journal import JOURNAL_PREFIX, Journal
from vertex_vllm.mirror.manifest import Manifest
from vertex_vllm.mirror.own_objects import MANIFEST_NAME

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket

# Seconds.
_PATIENCE = 60.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Garbage:
    """An unused mirror or an abandoned upload."""

    uri: str
    """`gs://bucket/prefix` of a mirror, or of the object that an upload would have become."""
    reason: str
    objects: int
    bytes: int
    """Bytes of its objects; the service does not say how many bytes the parts of an upload hold."""
    since: datetime
    """When the mirror was last written, or last found finished by a run."""
    generation: int
    """Generation of its manifest or journal at the time of the listing."""
    metageneration: int


def find_garbage(project: str, bucket: str, regions: Sequence[str], older_than: timedelta) -> tuple[Garbage, ...]:
    """Finished mirrors that nothing in `regions` uses (`weights_in_use`), and abandoned uploads.

    Only those older than `older_than`: a run mirrors before it uploads its Model. A run that finds a finished mirror
    renews the time of its manifest. Only prefixes with a manifest of this project, or a journal, are considered. Raises
    ServiceError if a service does not answer, because unused mirrors are then not known.
    """

    check_bucket_name(bucket)
    # Compared with the service's own times, whose clock may differ from this machine's.
    before = datetime.now(UTC) - older_than if older_than else datetime.max.replace(tzinfo=UTC)
    with google_errors("Cloud Storage", f"gs://{bucket}"):
        opened = storage_client(project).bucket(bucket)
        # List first: the later look then finds what a run began to use after the listing.
        mirrors = [blob for blob in opened.list_blobs(match_glob=f"**/{MANIFEST_NAME}") if blob.updated < before]
        used = look(project, opened, regions)
        return (*_mirrors(opened, mirrors, used), *_uploads(opened, used, before))


def remove_garbage(
    project: str, bucket: str, garbage: Sequence[Garbage], regions: Sequence[str]
) -> tuple[Garbage, ...]:
    """Deletes `garbage`, except what is in use by now, and returns what it deleted. Raises ServiceError.

    A mirror's manifest is deleted first, and only if it is unchanged: a run that uses the mirror changes it.
    """

    with google_errors("Cloud Storage", f"gs://{bucket}"):
        opened = storage_client(project).bucket(bucket)
        return tuple(one for one in garbage if _remove(project, opened, one, regions))


def _remove(project: str, bucket: "Bucket", one: Garbage, regions: Sequence[str]) -> bool:
    from google.api_core.exceptions import NotFound, PreconditionFailed

    path = one.uri.removeprefix(f"gs://{bucket.name}/")
    why = look(project, bucket, regions).why(bucket.name, path)
    if why:
        _LOG.warning("%s stays: %s by now", one.uri, why)
        return False
    first = bucket.blob(f"{path}/{MANIFEST_NAME}" if one.objects else f"{JOURNAL_PREFIX}/{path}.json")
    upload_id = "" if one.objects else _upload_id(first)
    try:
        first.delete(if_generation_match=one.generation, if_metageneration_match=one.metageneration)
    except NotFound:
        return False
    except PreconditionFailed:
        _LOG.warning("%s stays: a run has used it meanwhile", one.uri)
        return False
    if upload_id:
        _abort(bucket, one.uri, upload_id)
    if one.objects:
        for blob in bucket.list_blobs(prefix=f"{path}/"):
            # An object that was written again since the listing is not garbage.
            with suppress(NotFound, PreconditionFailed):
                blob.delete(if_generation_match=blob.generation)
    return True


def _mirrors(bucket: "Bucket", manifests: Sequence["Blob"], used: InUse) -> Iterator[Garbage]:
    for manifest in manifests:
        path = manifest.name.removesuffix(f"/{MANIFEST_NAME}")
        if used.why(bucket.name, path) or not _is_ours(manifest):
            continue
        blobs = list(bucket.list_blobs(prefix=f"{path}/"))
        size = sum(int(blob.size) for blob in blobs)
        yield Garbage(
            f"gs://{bucket.name}/{path}",
            "nothing serves from it",
            len(blobs),
            size,
            manifest.updated,
            manifest.generation,
            manifest.metageneration,
        )


def _uploads(bucket: "Bucket", used: InUse, before: datetime) -> Iterator[Garbage]:
    for journal in bucket.list_blobs(prefix=f"{JOURNAL_PREFIX}/"):
        path = journal.name.removeprefix(f"{JOURNAL_PREFIX}/").removesuffix(".json")
        if journal.updated < before and not used.why(bucket.name, path):
            reason = "its upload has not been continued"
            uri = f"gs://{bucket.name}/{path}"
            yield Garbage(uri, reason, 0, 0, journal.updated, journal.generation, journal.metageneration)


def _is_ours(manifest: "Blob") -> bool:
    try:
        Manifest.from_json(manifest.download_as_bytes().decode())
    except ValueError:
        return False
    return True


def _upload_id(journal: "Blob") -> str:
    """Id of the upload that a journal records; empty if the journal is gone or cannot be read."""
    from google.api_core.exceptions import NotFound

    try:
        return Journal.from_json(journal.download_as_bytes().decode()).upload_id
    except (ValueError, NotFound):
        return ""


def _abort(bucket: "Bucket", uri: str, upload_id: str) -> None:
    """Ends the upload, which frees its parts; an upload that is gone has none."""
    from vertex_vllm.mirror.authorization import Authorization
    from vertex_vllm.mirror.multipart import MultipartUpload, StorageServer
    from vertex_vllm.network.bulk_connections import Connections

    connections = Connections(_PATIENCE)
    server = StorageServer(connections, Authorization(), _PATIENCE, lambda error: None)
    url = f"{bucket.client.api_endpoint}/{quote(uri.removeprefix('gs://'), safe='/')}"
    try:
        MultipartUpload(server, url, upload_id).abort()
    finally:
        connections.close()
