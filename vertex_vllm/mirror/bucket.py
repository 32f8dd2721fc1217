"""The prefix of a mirror in its bucket: its objects, and how objects are written and copied."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from google.api_core.exceptions import Forbidden, NotFound
from google.auth.exceptions import GoogleAuthError

from vertex_vllm.google.bucket_settings import check_fit, settings_of
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.google.storage_words import keeps_objects, words_of_error
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.authorization import Authorization
from vertex_vllm.mirror.checksums import Checksums
from vertex_vllm.mirror.destination import split_destination
from vertex_vllm.mirror.journal import JOURNAL_PREFIX, Journal
from vertex_vllm.mirror.manifest import Manifest, MirroredFile
from vertex_vllm.mirror.multipart import MultipartUpload, StorageServer
from vertex_vllm.mirror.own_objects import MANIFEST_NAME
from vertex_vllm.mirror.stored_objects import StoredObject, stored_object
from vertex_vllm.network.bulk_connections import Connections
from vertex_vllm.retries import OnRetry, ignore_retry

_CONTENT_TYPE = "application/octet-stream"
FOUND_WHOLE = "found-whole"
"""Key of a manifest's metadata: when a run last found the mirror finished."""

_LOG = logging.getLogger(__name__)
Parsed = TypeVar("Parsed")


class MirrorBucket:
    """Objects under one `gs://bucket/prefix`, and the journals of unfinished uploads."""

    def __init__(
        self,
        uri: str,
        project: str,
        *,
        stall_seconds: float = 60.0,
        patience_seconds: float = 600.0,
        on_retry: OnRetry = ignore_retry,
    ) -> None:
        """`on_retry` receives each failure of a part's request that is retried."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        self.uri = uri.rstrip("/")
        bucket, self._prefix = split_destination(uri)
        authorization = Authorization()
        self._client = storage_client(project, authorization.credentials)
        self._bucket = self._client.bucket(bucket)
        self._retry = DEFAULT_RETRY.with_timeout(patience_seconds)
        self._connections = Connections(stall_seconds)
        self._authorization, self._patience, self._on_retry = authorization, patience_seconds, on_retry

    def check_fit(self) -> None:
        """Raises BucketError where the bucket's settings do not allow a mirror.

        A caller who may not read the settings continues: a later refusal of Cloud Storage says what is wrong.
        """
        try:
            found = self._client.get_bucket(self._bucket.name)
        except Forbidden as error:
            _LOG.info("%s: the bucket's settings are not known: %s", self.uri, words_of_error(error))
            return
        check_fit(settings_of(found), found.name, (f"{self._prefix}/", f"{JOURNAL_PREFIX}/"))

    def objects(self) -> dict[str, StoredObject]:
        """Path → object, for all objects under the prefix."""
        fields = "items(name,size,crc32c,generation,metadata),nextPageToken"
        blobs = self._client.list_blobs(self._bucket, prefix=f"{self._prefix}/", fields=fields)
        return {blob.name.removeprefix(f"{self._prefix}/"): stored_object(blob) for blob in blobs}

    def look(self, path: str) -> StoredObject | None:
        """The object at `path`, or None."""
        blob = self._bucket.get_blob(self._name(path))
        return None if blob is None else stored_object(blob)

    def read(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes of an object from `start` on."""
        # Cloud Storage takes no range of no bytes.
        if not length:
            return b""
        return bytes(self._bucket.blob(self._name(path)).download_as_bytes(start=start, end=start + length - 1))

    def read_generation(self, path: str, generation: int, start: int, length: int) -> bytes | None:
        """`length` bytes, at least one, of that generation of an object; None where it is gone."""
        blob = self._bucket.blob(self._name(path), generation=generation)
        try:
            return bytes(blob.download_as_bytes(start=start, end=start + length - 1, retry=self._retry))
        except NotFound:
            return None

    def write(self, file: HubFile, data: bytes, checksums: Checksums) -> None:
        """Writes a whole small file; Cloud Storage refuses it if it does not arrive intact."""
        blob = self._bucket.blob(self._name(file.path))
        blob.metadata = _metadata(file, checksums.sha256)
        # Without a precondition the client does not try again by itself; the same bytes twice do no harm.
        blob.upload_from_string(data, content_type=_CONTENT_TYPE, checksum="crc32c", retry=self._retry)

    def begin(self, file: HubFile) -> MultipartUpload:
        """Begins the upload of a large file, to be completed once its content is known to be what the Hub lists."""
        return MultipartUpload.begin(self._server(file), self._url(file), _metadata(file, file.sha256))

    def upload(self, file: HubFile, upload_id: str) -> MultipartUpload:
        """An upload of it that was begun earlier."""
        return MultipartUpload(self._server(file), self._url(file), upload_id)

    def copy(self, source: "CopySource", file: HubFile) -> MirroredFile | None:
        """Copies an object of another prefix inside Cloud Storage; None when it is no longer what it was."""
        from google.api_core.exceptions import PreconditionFailed

        origin = self._bucket.blob(source.name)
        target = self._bucket.blob(self._name(file.path))
        target.metadata, target.content_type = _metadata(file, file.sha256), _CONTENT_TYPE
        token: str | None = None
        try:
            while True:
                token, _, _ = target.rewrite(
                    origin, token=token, if_source_generation_match=source.generation, retry=self._retry
                )
                if token is None:
                    break
        except (NotFound, PreconditionFailed):
            return None
        stored = self.look(file.path)
        mirrored = None if stored is None else stored.as_mirrored(file)
        if stored is not None and (mirrored is None or mirrored.crc32c != source.crc32c):
            self.delete(file.path, stored.generation)
            return None
        return mirrored

    def siblings(self) -> Iterator[Manifest]:
        """Manifests of the prefixes beside this one, other commits of the same model; none of another place."""
        parent, _, own = self._prefix.rpartition("/")
        pattern = f"{parent}/*/{MANIFEST_NAME}" if parent else f"*/{MANIFEST_NAME}"
        for blob in self._client.list_blobs(self._bucket, match_glob=pattern, fields="items(name),nextPageToken"):
            if blob.name != f"{parent}/{own}/{MANIFEST_NAME}".lstrip("/"):
                with suppress(ValueError):
                    manifest = Manifest.from_json(blob.download_as_bytes().decode())
                    if manifest.uri == f"gs://{self._bucket.name}/{blob.name.rpartition('/')[0]}":
                        yield manifest

    def read_journal(self, path: str) -> tuple[Journal | None, int]:
        """The journal of a file and its generation; None for one that cannot be read, 0 where there is none."""
        return self._read(self._journal_name(path), Journal.from_json)

    def write_journal(self, path: str, journal: Journal, generation: int) -> bool:
        """Writes the journal over that generation; False if another generation exists by now."""
        return self._replace(self._journal_name(path), journal.to_json(), generation)

    def note_journal(self, path: str, journal: Journal) -> None:
        """Overwrites the journal, best effort: one attempt; a missing journal only costs repeated work."""
        from google.api_core.exceptions import GoogleAPIError
        from requests import RequestException

        blob = self._bucket.blob(self._journal_name(path))
        with suppress(GoogleAPIError, RequestException, GoogleAuthError):
            blob.upload_from_string(journal.to_json(), content_type="application/json", retry=None, timeout=10)

    def delete_journal(self, path: str) -> None:
        """Deletes the journal of a file, if it exists."""
        self._delete_journal(self._bucket.blob(self._journal_name(path)))

    def delete_journals(self) -> None:
        """Deletes the journals of all files under the prefix."""
        for blob in self._client.list_blobs(self._bucket, prefix=f"{JOURNAL_PREFIX}/{self._prefix}/"):
            self._delete_journal(blob)

    def touch_manifest(self, generation: int) -> bool:
        """Writes the time into the manifest's metadata, which keeps the mirror from garbage collection.

        False when that manifest is gone. Without the right to write, the manifest stays as it is, which is logged.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(self._name(MANIFEST_NAME))
        blob.metadata = {FOUND_WHOLE: datetime.now(UTC).isoformat(timespec="seconds")}
        try:
            blob.patch(if_generation_match=generation, retry=self._retry)
        except (NotFound, PreconditionFailed):
            return False
        except Forbidden as error:
            _LOG.info("%s: the manifest stays as old as it is: %s", self.uri, words_of_error(error))
        return True

    def delete(self, path: str, generation: int) -> None:
        """Deletes an object, if it still has that generation."""
        self._bucket.blob(self._name(path), generation=generation).delete(if_generation_match=generation)

    def read_manifest(self) -> tuple[Manifest | None, int]:
        """The manifest and its generation; None if it cannot be read, 0 if there is none."""
        return self._read(self._name(MANIFEST_NAME), Manifest.from_json)

    def _read(self, name: str, parse: Callable[[str], Parsed]) -> tuple[Parsed | None, int]:
        """An object of JSON and its generation; None if `parse` raises ValueError, 0 if there is no object."""
        blob = self._bucket.get_blob(name)
        if blob is None:
            return None, 0
        try:
            return parse(blob.download_as_bytes().decode()), int(blob.generation)
        except ValueError:
            return None, int(blob.generation)

    def read_own(self, name: str) -> bytes | None:
        """The content of an object that the mirror wrote beside the files; None where there is none."""
        blob = self._bucket.get_blob(self._name(name))
        return None if blob is None else bytes(blob.download_as_bytes())

    def write_own(self, name: str, text: str) -> None:
        """Writes such an object over any other."""
        blob = self._bucket.blob(self._name(name))
        blob.upload_from_string(text, content_type="application/json", checksum="crc32c", retry=self._retry)

    def delete_own(self, name: str) -> None:
        """Does nothing where there is none."""
        with suppress(NotFound):
            self._bucket.blob(self._name(name)).delete(retry=self._retry)

    def write_manifest(self, manifest: Manifest, generation: int) -> bool:
        """Writes the manifest in place of the one with that generation; False when there is another one by now."""
        return self._replace(self._name(MANIFEST_NAME), manifest.to_json(), generation)

    def break_off(self) -> None:
        """Ends all retries of parts, with ServiceError."""
        self._connections.close()

    def close(self) -> None:
        self._connections.close()
        self._client.close()

    def _replace(self, name: str, text: str, generation: int) -> bool:
        from google.api_core.exceptions import PreconditionFailed

        try:
            self._bucket.blob(name).upload_from_string(
                text, content_type="application/json", checksum="crc32c", if_generation_match=generation
            )
        except PreconditionFailed:
            return False
        return True

    def _delete_journal(self, journal: Any) -> None:
        """Deletes a journal. If the bucket keeps it, by a hold or a policy, it stays and a warning names it."""
        try:
            journal.delete(retry=self._retry)
        except NotFound:
            return
        except Forbidden as error:
            if not keeps_objects(words_of_error(error)):
                raise
            _LOG.warning("gs://%s/%s stays: %s", self._bucket.name, journal.name, words_of_error(error))

    def _server(self, file: HubFile) -> StorageServer:
        on_retry = partial(self._on_retry, file.path)
        return StorageServer(self._connections, self._authorization, self._patience, on_retry)

    def _name(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    def _journal_name(self, path: str) -> str:
        return f"{JOURNAL_PREFIX}/{self._prefix}/{path}.json"

    def _url(self, file: HubFile) -> str:
        return f"{self._client.api_endpoint}/{self._bucket.name}/{quote(self._name(file.path), safe='/')}"


@dataclass(frozen=True)
class CopySource:
    """An object of another prefix with the content of a file."""

    name: str
    generation: int
    crc32c: str


def _metadata(file: HubFile, sha256: str) -> dict[str, str]:
    """Metadata of an object: the checksum of its content, which is verified before the object appears."""
    known = {"sha256": sha256, "git-oid": "" if file.sha256 else file.git_oid}
    return {name: value for name, value in known.items() if value}
