"""The prefix of one mirror in its bucket: what lies there, and how more is put there."""

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from vertex_vllm.hub.listing import HubFile
from vertex_vllm.mirror.checksums import Checksums
from vertex_vllm.mirror.destination import split_destination
from vertex_vllm.mirror.manifest import MANIFEST_NAME, Manifest
from vertex_vllm.mirror.multipart import MultipartUpload
from vertex_vllm.retries import storage_retry

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing tells it."""

    size: int
    crc32c: str
    generation: int
    sha256: str
    """What whoever wrote it had verified; empty when it was not this project."""
    git_oid: str


class MirrorBucket:
    """Objects under one `gs://bucket/prefix`."""

    def __init__(self, uri: str, project: str, connections: int) -> None:
        from google.auth.transport.requests import AuthorizedSession
        from google.cloud.storage import Client
        from requests.adapters import HTTPAdapter

        self.uri = uri.rstrip("/")
        bucket, self._prefix = split_destination(uri)
        credentials = _credentials()
        self._client = Client(project=project, credentials=credentials)
        self._bucket = self._client.bucket(bucket)
        self._session = AuthorizedSession(credentials)
        adapter = HTTPAdapter(pool_maxsize=connections, max_retries=storage_retry())
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    def objects(self) -> dict[str, StoredObject]:
        """Path → object, for all that lies under the prefix."""
        fields = "items(name,size,crc32c,generation,metadata),nextPageToken"
        blobs = self._client.list_blobs(self._bucket, prefix=f"{self._prefix}/", fields=fields)
        return {blob.name.removeprefix(f"{self._prefix}/"): _stored(blob) for blob in blobs}

    def look(self, path: str) -> StoredObject | None:
        """One object, if it is there."""
        blob = self._bucket.get_blob(self._name(path))
        return None if blob is None else _stored(blob)

    def write(self, file: HubFile, data: bytes, checksums: Checksums) -> None:
        """Writes a whole small file; Cloud Storage refuses it if it does not arrive intact."""
        blob = self._bucket.blob(self._name(file.path))
        blob.metadata = _metadata(file, checksums.sha256)
        blob.upload_from_string(data, content_type="application/octet-stream", checksum="crc32c")

    def begin(self, file: HubFile) -> MultipartUpload:
        """Begins the upload of a large file, to be completed once its content is known to be what the Hub lists."""
        url = f"{self._client.api_endpoint}/{self._bucket.name}/{quote(self._name(file.path), safe='/')}"
        return MultipartUpload(self._session, url, _metadata(file, file.sha256))

    def delete(self, path: str, generation: int) -> None:
        """Deletes an object, provided that it is still that one."""
        self._bucket.blob(self._name(path), generation=generation).delete(if_generation_match=generation)

    def read_manifest(self) -> tuple[Manifest | None, int]:
        """The manifest and its generation; None for one that cannot be read, 0 where there is none."""
        blob = self._bucket.get_blob(self._name(MANIFEST_NAME))
        if blob is None:
            return None, 0
        try:
            return Manifest.from_json(blob.download_as_bytes().decode()), int(blob.generation)
        except ValueError:
            return None, int(blob.generation)

    def write_manifest(self, manifest: Manifest, generation: int) -> bool:
        """Writes the manifest in place of the one with that generation; False when there is another one by now."""
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(self._name(MANIFEST_NAME))
        try:
            blob.upload_from_string(
                manifest.to_json(),
                content_type="application/json",
                checksum="crc32c",
                if_generation_match=generation,
            )
        except PreconditionFailed:
            return False
        return True

    def close(self) -> None:
        self._session.close()
        self._client.close()

    def _name(self, path: str) -> str:
        return f"{self._prefix}/{path}"


def _metadata(file: HubFile, sha256: str) -> dict[str, str]:
    """What an object says of its content, which is verified before the object appears."""
    known = {"sha256": sha256, "git-oid": "" if file.sha256 else file.git_oid}
    return {name: value for name, value in known.items() if value}


def _credentials() -> Any:
    """As google-cloud-storage chooses them: STORAGE_EMULATOR_HOST names a server that is asked without any."""
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return AnonymousCredentials()
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    return credentials


def _stored(blob: Any) -> StoredObject:
    metadata = blob.metadata or {}
    return StoredObject(
        size=int(blob.size or 0),
        crc32c=str(blob.crc32c or ""),
        generation=int(blob.generation or 0),
        sha256=str(metadata.get("sha256", "")),
        git_oid=str(metadata.get("git-oid", "")),
    )
