"""An object of a mirror as a listing shows it. Pure."""

from dataclasses import dataclass
from typing import Any

from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.manifest import MirroredFile


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing returns it."""

    size: int
    crc32c: str
    generation: int
    sha256: str
    """SHA-256 from its metadata, to be confirmed by a manifest or by hashing; empty without one."""
    git_oid: str

    def as_mirrored(self, file: HubFile) -> MirroredFile | None:
        """An entry of the manifest, if the metadata says that it is this file. Anyone may have written the metadata."""
        if self.size != file.size or not self.sha256:
            return None
        verified = self.sha256 == file.sha256 if file.sha256 else self.git_oid == file.git_oid
        return MirroredFile(file.path, self.size, self.sha256, self.crc32c, self.generation) if verified else None


def stored_object(blob: Any) -> StoredObject:
    """From a `google.cloud.storage.Blob` that was listed or looked up."""
    metadata = blob.metadata or {}
    return StoredObject(
        size=int(blob.size or 0),
        crc32c=str(blob.crc32c or ""),
        generation=int(blob.generation or 0),
        sha256=str(metadata.get("sha256", "")),
        git_oid=str(metadata.get("git-oid", "")),
    )
