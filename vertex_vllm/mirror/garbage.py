"""What mirrors have left in a bucket and nobody needs: prefixes that no Model serves from, uploads that nobody ends."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from vertex_vllm.errors import RegionClosedError, ServiceError
from vertex_vllm.google_errors import google_errors
from vertex_vllm.mirror.journal import JOURNAL_PREFIX, Journal
from vertex_vllm.mirror.manifest import Manifest
from vertex_vllm.mirror.own_objects import MANIFEST_NAME
from vertex_vllm.serving.clients import CALL_SECONDS, RETRY, model_client, service_errors
from vertex_vllm.storage import check_bucket_name

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket

_MODEL_ARGUMENT = "--model="
# Seconds.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Garbage:
    """One thing that may go."""

    uri: str
    """`gs://bucket/prefix` of a mirror, or of the object that an upload would have become."""
    reason: str
    objects: int
    bytes: int
    """Of its objects; what the parts of an upload hold is not told."""
    since: datetime
    """Last written."""


def find_garbage(project: str, bucket: str, regions: Sequence[str], older_than: timedelta) -> tuple[Garbage, ...]:
    """Finished mirrors that no version of any Model in `regions` serves from, and uploads that nobody went on with.

    Nothing younger than `older_than`: a run mirrors first and uploads its Model afterwards. Only prefixes with a
    manifest of this project, or a journal, are looked at. Raises ServiceError when a service does not answer: then
    nothing is known to be unused.
    """
    from google.cloud.storage import Client

    check_bucket_name(bucket)
    # Nothing to wait for: the clock of the service need not be ours.
    before = datetime.now(UTC) - older_than if older_than else datetime.max.replace(tzinfo=UTC)
    used = {uri for region in regions for uri in _served_from(project, region)}
    with google_errors("Cloud Storage", f"gs://{bucket}"):
        opened = Client(project=project).bucket(bucket)
        return (*_mirrors(opened, used, before), *_uploads(opened, before))


def remove_garbage(project: str, bucket: str, garbage: Sequence[Garbage]) -> None:
    """Deletes it: a mirror's manifest first, so that nobody takes for whole what is half gone. Raises ServiceError."""
    from google.api_core.exceptions import NotFound
    from google.cloud.storage import Client

    with google_errors("Cloud Storage", f"gs://{bucket}"):
        opened = Client(project=project).bucket(bucket)
        for one in garbage:
            path = one.uri.removeprefix(f"gs://{bucket}/")
            for blob in sorted(_blobs_of(opened, path), key=lambda blob: not blob.name.endswith(f"/{MANIFEST_NAME}")):
                if blob.name.startswith(JOURNAL_PREFIX):
                    _abort(one.uri, blob)
                try:
                    blob.delete(if_generation_match=blob.generation)
                except NotFound:
                    continue


def _mirrors(bucket: "Bucket", used: set[str], before: datetime) -> Iterator[Garbage]:
    for manifest in bucket.list_blobs(match_glob=f"**/{MANIFEST_NAME}"):
        uri = f"gs://{bucket.name}/{manifest.name.removesuffix(f'/{MANIFEST_NAME}')}"
        if uri in used or manifest.updated >= before or not _is_ours(manifest):
            continue
        blobs = list(_blobs_of(bucket, uri.removeprefix(f"gs://{bucket.name}/")))
        size = sum(int(blob.size) for blob in blobs)
        yield Garbage(uri, "no Model serves from it", len(blobs), size, manifest.updated)


def _uploads(bucket: "Bucket", before: datetime) -> Iterator[Garbage]:
    for journal in bucket.list_blobs(prefix=f"{JOURNAL_PREFIX}/"):
        if journal.updated < before:
            path = journal.name.removeprefix(f"{JOURNAL_PREFIX}/").removesuffix(".json")
            reason = "its upload has not been gone on with"
            yield Garbage(f"gs://{bucket.name}/{path}", reason, 0, 0, journal.updated)


def _blobs_of(bucket: "Bucket", path: str) -> "Iterator[Blob]":
    """Of a mirror all that lies under its prefix; of an upload its journal."""
    yield from bucket.list_blobs(prefix=f"{path}/")
    journal = bucket.get_blob(f"{JOURNAL_PREFIX}/{path}.json")
    if journal is not None:
        yield journal


def _is_ours(manifest: "Blob") -> bool:
    try:
        Manifest.from_json(manifest.download_as_bytes().decode())
    except ValueError:
        return False
    return True


def _abort(uri: str, journal: "Blob") -> None:
    """Frees the parts; an upload that is gone, or a journal that cannot be read, has none."""
    from vertex_vllm.connections import Connections
    from vertex_vllm.mirror.authorization import Authorization
    from vertex_vllm.mirror.multipart import MultipartUpload, StorageServer

    try:
        upload_id = Journal.from_json(journal.download_as_bytes().decode()).upload_id
    except ValueError:
        return
    connections = Connections(_PATIENCE)
    server = StorageServer(connections, Authorization(), _PATIENCE, lambda error: None)
    url = f"{journal.client.api_endpoint}/{quote(uri.removeprefix('gs://'), safe='/')}"
    try:
        MultipartUpload(server, url, upload_id).abort()
    finally:
        connections.close()


def _served_from(project: str, region: str) -> Iterator[str]:
    """The `gs://` places that the versions of a region's Models load from, whoever made them."""
    client = model_client(region)
    parent = f"projects/{project}/locations/{region}"
    # A region that the project may not use has no Models of it.
    with suppress(RegionClosedError), service_errors(f"Listing the Models of {region}", ServiceError):
        for model in client.list_models(parent=parent, retry=RETRY, timeout=CALL_SECONDS):
            name = model.name.partition("@")[0]
            for version in client.list_model_versions(name=name, retry=RETRY, timeout=CALL_SECONDS):
                for argument in version.container_spec.args:
                    if argument.startswith(f"{_MODEL_ARGUMENT}gs://"):
                        yield argument.removeprefix(_MODEL_ARGUMENT).rstrip("/")
                if version.artifact_uri:
                    yield str(version.artifact_uri).rstrip("/")
