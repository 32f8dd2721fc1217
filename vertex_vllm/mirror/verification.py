"""`mirror verify`: compares a mirror with its signature and manifest and, on request, hashes every object."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from vertex_vllm.errors import MirrorError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.manifest import Manifest
from vertex_vllm.mirror.own_objects import MANIFEST_NAME
from vertex_vllm.mirror.rehashing import still_holds
from vertex_vllm.mirror.signed_mirror import read_signed
from vertex_vllm.mirror.signing_keys import SigningKey
from vertex_vllm.mirror.stored_objects import StoredObject
from vertex_vllm.mirror.wholeness import require_no_faults, standing_faults

_AT_ONCE = 4


@dataclass(frozen=True)
class VerifiedMirror:
    """A mirror whose objects match its manifest, and whose manifest matches the signature."""

    uri: str
    repository: str
    commit: str
    files: int
    bytes: int
    key: str
    """Name of the key that verified the signature; empty where none was given."""
    mirrored_by: str
    """The account that mirrored, as the signed statement names it; empty without a key."""


def verify_mirror(uri: str, project: str, key: SigningKey | None, *, content: bool = False) -> VerifiedMirror:
    """Verifies the mirror under `gs://bucket/prefix`. `content`: every object is read and hashed.

    Raises MirrorError that says what is missing, changed, unknown, or not signed by `key`; InputError for a place or a
    key that cannot be used; ServiceError where Google fails.
    """
    with google_errors("Cloud Storage", uri), closing(MirrorBucket(uri, project)) as bucket:
        objects = bucket.objects()  # first: it is refused where there is no such bucket
        signed = None if key is None else read_signed(bucket, key)
        manifest = _manifest(bucket) if signed is None else signed.manifest
        found = dict(standing_faults(manifest, objects, bucket))
        if content:
            found |= _content_faults(manifest, objects, bucket, found)
        require_no_faults(found, manifest.uri)
    return VerifiedMirror(
        uri=manifest.uri,
        repository=manifest.model_id,
        commit=manifest.commit,
        files=len(manifest.files),
        bytes=manifest.total_bytes,
        key="" if key is None else key.name,
        mirrored_by="" if signed is None else signed.statement.mirrored_by,
    )


def _manifest(bucket: MirrorBucket) -> Manifest:
    manifest, generation = bucket.read_manifest()
    if manifest is None:
        fault = "cannot be read" if generation else "is missing"
        raise MirrorError(fault, where=f"{bucket.uri}/{MANIFEST_NAME}", fix="Check the place, or mirror again.")
    if manifest.uri != bucket.uri:
        raise MirrorError(
            f"the manifest is of {manifest.uri}", where=bucket.uri, fix="Verify that place, or mirror here."
        )
    return manifest


def _content_faults(
    manifest: Manifest, objects: Mapping[str, StoredObject], bucket: MirrorBucket, known: Mapping[str, str]
) -> dict[str, str]:
    files = [file for file in manifest.files if file.path not in known]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        held = threads.map(lambda file: still_holds(file, objects[file.path], bucket), files)
        return dict(_differing([file.path for file in files], held))


def _differing(paths: list[str], held: Iterator[bool]) -> Iterator[tuple[str, str]]:
    for path, holds in zip(paths, held, strict=True):
        if not holds:
            yield path, f"{path} has other content"
