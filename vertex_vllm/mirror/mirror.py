"""`mirror_weights`: what is missing is copied, what is there stays, and the manifest says so last."""

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace

from vertex_vllm.errors import MirrorError
from vertex_vllm.google_errors import google_errors
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.listing import HubFile, list_files
from vertex_vllm.hub.names import check_commit, check_model_id
from vertex_vllm.hub.weight_files import read_index
from vertex_vllm.mirror.bucket import MirrorBucket, StoredObject
from vertex_vllm.mirror.copying import CONNECTIONS_PER_FILE, copy_file
from vertex_vllm.mirror.manifest import Manifest, MirroredFile, is_whole
from vertex_vllm.mirror.progress import Meter, OnProgress, ignore_progress
from vertex_vllm.mirror.selection import select_files

_FILES_AT_ONCE = 2
_CONNECTIONS = _FILES_AT_ONCE * CONNECTIONS_PER_FILE
_MANIFEST_TRIES = 5


def mirror_weights(
    model_id: str,
    commit: str,
    token: str | None,
    destination: str,
    project: str,
    on_progress: OnProgress = ignore_progress,
) -> Manifest:
    """Makes `destination` (`gs://bucket/prefix`) hold the files of the model at `commit` that serving needs.

    Nothing touches the disk; at most some 200 MiB are held in memory. Every file is verified against the Hub's listing
    before its object appears. A finished mirror costs one read of its manifest and one listing, and moves nothing.
    Raises MirrorError when the Hub sends what it does not list or the bucket changes underneath, PlanError when the
    repository holds no usable weights, HubAccessError and ServiceError as the Hub and Cloud Storage do.
    """
    check_model_id(model_id)
    check_commit(commit)
    with (
        google_errors("Cloud Storage", destination),
        closing(MirrorBucket(destination, project, _CONNECTIONS)) as bucket,
    ):
        manifest, generation = bucket.read_manifest()
        published = (
            manifest if manifest is not None and (manifest.model_id, manifest.commit) == (model_id, commit) else None
        )
        objects = bucket.objects()
        if published is not None and is_whole(published, objects):
            meter = Meter(model_id, [file.size for file in published.files], on_progress)
            for file in published.files:
                meter.present(file.size)
            return published
        files = _copy_missing(model_id, commit, token, bucket, objects, published, on_progress)
        return publish(Manifest(model_id, commit, bucket.uri, files), bucket, generation)


def _copy_missing(
    model_id: str,
    commit: str,
    token: str | None,
    bucket: MirrorBucket,
    objects: dict[str, StoredObject],
    published: Manifest | None,
    on_progress: OnProgress,
) -> tuple[MirroredFile, ...]:
    earlier = {file.path: file for file in published.files} if published else {}
    with RepoReader(model_id, commit, token, _CONNECTIONS) as reader:
        listing = list_files(model_id, commit, token)
        wanted = select_files(listing, read_index(reader, listing))
        meter = Meter(model_id, [file.size for file in wanted], on_progress)
        present = {file.path: present_file(file, objects.get(file.path), earlier.get(file.path)) for file in wanted}
        for there in filter(None, present.values()):
            meter.present(there.size)
        copied = _copy_all([file for file in wanted if present[file.path] is None], reader, bucket, meter)
    return tuple(present[file.path] or copied[file.path] for file in wanted)


def present_file(file: HubFile, stored: StoredObject | None, earlier: MirroredFile | None) -> MirroredFile | None:
    """The object as an entry of the manifest, if an earlier run verified that it is this file; else None.

    Its metadata tells what was verified when it was written, `earlier` what its content was when a manifest was.
    """
    if stored is None or stored.size != file.size or not stored.sha256:
        return None
    if earlier is not None and earlier.crc32c != stored.crc32c:
        return None
    verified = stored.sha256 == file.sha256 if file.sha256 else stored.git_oid == file.git_oid
    return MirroredFile(file.path, file.size, stored.sha256, stored.crc32c, stored.generation) if verified else None


def _copy_all(
    files: Sequence[HubFile], reader: RepoReader, bucket: MirrorBucket, meter: Meter
) -> dict[str, MirroredFile]:
    """Copies the largest first; after the first failure no other is begun."""

    def copy(file: HubFile) -> MirroredFile:
        copied = copy_file(file, reader, bucket, meter)
        meter.done()
        return copied

    pool = ThreadPoolExecutor(_FILES_AT_ONCE)
    try:
        begun = {file.path: pool.submit(copy, file) for file in sorted(files, key=lambda file: -file.size)}
        done, _ = wait(begun.values(), return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        return {path: future.result() for path, future in begun.items()}
    except BaseException:
        reader.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def publish(manifest: Manifest, bucket: MirrorBucket, generation: int) -> Manifest:
    """Writes the manifest over the one with `generation`, unless another mirror has meanwhile published one that holds.

    Returns what is published in the end. Raises MirrorError when objects change while it tries.
    """
    for _ in range(_MANIFEST_TRIES):
        current = _as_it_lies(manifest, bucket.objects())
        if bucket.write_manifest(current, generation):
            return current
        theirs, generation = bucket.read_manifest()
        if theirs is not None and theirs.commit == manifest.commit and is_whole(theirs, bucket.objects()):
            return theirs
    raise MirrorError("somebody else keeps replacing the manifest", where=bucket.uri, fix="Stop the other mirror.")


def _as_it_lies(manifest: Manifest, objects: dict[str, StoredObject]) -> Manifest:
    """The manifest with the generations of now: a mirror at the same time may have written the same bytes again."""
    files = []
    for file in manifest.files:
        stored = objects.get(file.path)
        if stored is None or (stored.size, stored.crc32c) != (file.size, file.crc32c):
            raise MirrorError("was changed or deleted while mirroring", where=f"{manifest.uri}/{file.path}")
        files.append(replace(file, generation=stored.generation))
    return replace(manifest, files=tuple(files))
