"""Hashes the content of objects in the bucket, where only their own metadata says what they hold.

An account that may write to the bucket may write metadata, a journal of an upload, or another object.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.stored_objects import StoredObject

# Bytes of one read. Files and reads at once need 64 MiB together, far below what a mirror may take.
_PIECE = 4 << 20
_AT_ONCE, _READS_AHEAD = 4, 4


def proven_files(
    files: Sequence[HubFile], objects: Mapping[str, StoredObject], bucket: MirrorBucket
) -> dict[str, MirroredFile]:
    """Path → object for those of `files` whose objects, hashed, have the content that the Hub lists.

    Only objects that claim to be their file, by size and metadata, are read: any other is copied again.
    """
    claimed = [file for file in files if (found := objects.get(file.path)) and found.as_mirrored(file)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        proven = threads.map(lambda file: prove(file, objects[file.path], bucket), claimed)
        return {file.path: found for file, found in zip(claimed, proven, strict=True) if found is not None}


def prove(file: HubFile, stored: StoredObject, bucket: MirrorBucket) -> MirroredFile | None:
    """The object as an entry of the manifest; None if its content is not what the Hub lists, or if it was replaced."""
    if stored.size != file.size:
        return None
    sha256, git_oid = _hashes(file.path, stored, bucket) or ("", "")
    if not sha256 or (sha256 != file.sha256 if file.sha256 else git_oid != file.git_oid):
        return None
    return MirroredFile(file.path, file.size, sha256, stored.crc32c, stored.generation)


def still_holds(file: MirroredFile, stored: StoredObject, bucket: MirrorBucket) -> bool:
    """Whether an object of another generation has the content of the manifest's entry."""
    return (_hashes(file.path, stored, bucket) or ("",))[0] == file.sha256


def _hashes(path: str, stored: StoredObject, bucket: MirrorBucket) -> tuple[str, str] | None:
    """SHA-256 and Git's name of the content of that generation; None where it is gone."""
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % stored.size, usedforsecurity=False)

    def read(start: int) -> bytes | None:
        return bucket.read_generation(path, stored.generation, start, min(_PIECE, stored.size - start))

    starts = iter(range(0, stored.size, _PIECE))
    with ThreadPoolExecutor(_READS_AHEAD) as threads:
        under_way = deque(threads.submit(read, start) for start in islice(starts, _READS_AHEAD))
        while under_way:
            piece = under_way.popleft().result()
            if piece is None:
                return None
            under_way.extend(threads.submit(read, start) for start in islice(starts, 1))
            sha256.update(piece)
            git.update(piece)
    return sha256.hexdigest(), git.hexdigest()
