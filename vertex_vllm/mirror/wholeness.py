"""Checks that a prefix holds exactly the objects that its mirror verified, before and after a container loads them."""

from collections.abc import Iterator, Mapping
from contextlib import closing

from vertex_vllm.errors import MirrorError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.manifest import Manifest
from vertex_vllm.mirror.own_objects import BESIDE_THE_WEIGHTS
from vertex_vllm.mirror.rehashing import still_holds
from vertex_vllm.mirror.stored_objects import StoredObject

_MOST_NAMED = 5


def require_whole(manifest: Manifest, project: str) -> None:
    """Raises MirrorError that names the objects which are missing, changed or unknown to `manifest`.

    `manifest`: as the run's own mirror returned it, not as the bucket holds it now: an account that may write to the
    bucket may write a manifest there, too. An object that another mirror wrote again is read and hashed. Raises
    ServiceError where Cloud Storage fails.
    """
    with google_errors("Cloud Storage", manifest.uri), closing(MirrorBucket(manifest.uri, project)) as bucket:
        found = dict(standing_faults(manifest, bucket.objects(), bucket))
    require_no_faults(found, manifest.uri)


def require_no_faults(found: Mapping[str, str], uri: str) -> None:
    """Raises MirrorError that names the first faults; `found`: path → fault, in words."""
    named = list(found.values())
    if named:
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        raise MirrorError(
            f"the weights are not what was mirrored: {'; '.join(named[:_MOST_NAMED])}{more}",
            where=uri,
            fix="Find out who wrote there, delete what is not known, and run the deployment again.",
        )


def standing_faults(
    manifest: Manifest, objects: Mapping[str, StoredObject], bucket: MirrorBucket
) -> Iterator[tuple[str, str]]:
    """As `faults`, without objects that were written again with the same content: those are read and hashed."""
    again = rewritten(manifest, objects)
    suspect = [file for file in manifest.files if file.path in again]
    held = {file.path for file in suspect if still_holds(file, objects[file.path], bucket)}
    yield from ((path, fault) for path, fault in faults(manifest, objects) if path not in held)


def faults(manifest: Manifest, objects: Mapping[str, StoredObject]) -> Iterator[tuple[str, str]]:
    """Path and fault of each object that differs from the manifest, or is not in it."""
    for file in manifest.files:
        stored = objects.get(file.path)
        if stored is None:
            yield file.path, f"{file.path} is missing"
        elif (stored.size, stored.crc32c) != (file.size, file.crc32c):
            yield file.path, f"{file.path} has other content"
        elif stored.generation != file.generation:
            yield file.path, f"{file.path} was written again"
    known = {file.path for file in manifest.files} | BESIDE_THE_WEIGHTS
    for path, stored in sorted(objects.items()):
        # The console makes an empty object for a folder.
        is_folder = not stored.size and (not path or path.endswith("/"))
        if path not in known and not is_folder:
            yield path, f"{path} is not in the manifest"


def rewritten(manifest: Manifest, objects: Mapping[str, StoredObject]) -> set[str]:
    """Paths of objects whose size and CRC32C are the manifest's, and whose generation is another."""
    return {path for path, fault in faults(manifest, objects) if fault == f"{path} was written again"}
