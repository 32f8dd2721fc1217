"""`mirror_weights`: copies missing files, keeps existing ones, and writes the manifest last."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from vertex_vllm.errors import MirrorError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.hub.access import look_up
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import HubFile, list_files
from vertex_vllm.hub.hub_names import check_commit, check_model_id
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.content_check import check_openings, named
from vertex_vllm.mirror.file_distribution import copy_large_files
from vertex_vllm.mirror.manifest import Manifest, MirroredFile, is_whole
from vertex_vllm.mirror.mirrored_facts import BucketFile, BucketReader
from vertex_vllm.mirror.needed_files import (
    EVERYTHING_NEEDED,
    Selection,
    is_index_wanted,
    left_out_of_index,
    select_files,
)
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME
from vertex_vllm.mirror.pickle_scan import PickledWeights, check_scanned, check_selected, pickles_among
from vertex_vllm.mirror.progress import Meter, OnProgress, ignore_progress
from vertex_vllm.mirror.publication import publish
from vertex_vllm.mirror.rehashing import proven_files
from vertex_vllm.mirror.reuse import copy_from_siblings
from vertex_vllm.mirror.signed_mirror import read_signed
from vertex_vllm.mirror.signing_keys import SigningKey
from vertex_vllm.mirror.small_files import copy_small_files
from vertex_vllm.mirror.stored_objects import StoredObject
from vertex_vllm.mirror.transfer_options import Transfer
from vertex_vllm.mirror.worker_job import Job
from vertex_vllm.model.safetensors import read_tensors
from vertex_vllm.model.shard_index import check_tensors
from vertex_vllm.model.weight_files import read_index
from vertex_vllm.retries import saying_what_lasts

_LOG = logging.getLogger(__name__)


def mirror_weights(
    model_id: str,
    commit: str,
    token: str | None,
    destination: str,
    project: str,
    on_progress: OnProgress = ignore_progress,
    *,
    selection: Selection = EVERYTHING_NEEDED,
    transfer: Transfer | None = None,
    pickled_weights: PickledWeights = "refuse",
    signing: SigningKey | None = None,
) -> Manifest:
    """Copies the files of the model at `commit` that serving needs to `destination` (`gs://bucket/prefix`).

    Nothing touches the disk, and memory does not grow with the model: below 300 MB in each process. Every file is
    verified against the Hub's listing before its object appears. After any interruption the next run resumes. A
    finished mirror costs one read of its manifest and one listing, and copies nothing.

    `signing`: the key that signs the mirror. A manifest without its signature is not trusted: objects are hashed
    again. `pickled_weights`: pickle files are refused before anything is copied, or scanned before the manifest
    is written.

    Raises MirrorError when the Hub sends what it does not list, the bucket changes underneath or a scan finds danger,
    PlanError when the repository holds no usable weights or pickles without consent, BucketError for a bucket that
    cannot hold a mirror, HubAccessError and ServiceError as the Hub and Cloud Storage do.
    """
    check_model_id(model_id)
    check_commit(commit)
    job = Job(model_id, commit, token, destination, project, transfer or Transfer())
    with google_errors("Cloud Storage", destination), closing(_bucket(job)) as bucket:
        manifest, generation = bucket.read_manifest()
        published = manifest if _is_of(manifest, model_id, commit) and _vouched(bucket, signing) else None
        objects = bucket.objects()
        if published is not None and _is_finished(published, selection, objects):
            _check_pickles(published.files, pickled_weights, bucket, job)
            if bucket.touch_manifest(generation):
                _tell_found(published, on_progress)
                return published
        bucket.check_fit()
        files = _copy_missing(job, selection, bucket, objects, published, on_progress, pickled_weights, signing)
        _check_pickles(files, pickled_weights, bucket, job)
        # A mirror killed after completing an object but before deleting its journal leaves the journal behind. Delete
        # journals before writing the manifest: once it exists no later run resumes, so nothing would delete them.
        bucket.delete_journals()
        licence = look_up(model_id, commit, token).licence
        return publish(Manifest(model_id, commit, bucket.uri, files, selection), bucket, generation, licence, signing)


def _is_finished(published: Manifest, selection: Selection, objects: Mapping[str, StoredObject]) -> bool:
    return published.selection == selection and is_whole(published, objects) and BILL_OF_MATERIALS_NAME in objects


def _vouched(bucket: MirrorBucket, signing: SigningKey | None) -> bool:
    """Whether the manifest in the bucket has the wanted signature; True if none is wanted."""
    if signing is None:
        return True
    try:
        read_signed(bucket, signing)
    except MirrorError as error:
        _LOG.info("%s; the objects in the bucket are hashed again", error.message)
        return False
    return True


def _siblings(bucket: MirrorBucket, job: Job, signing: SigningKey | None) -> Iterator[Manifest]:
    """Manifests of the model's other commits; where a signature is wanted, those that have it."""
    for manifest in bucket.siblings():
        if signing is None:
            yield manifest
            continue
        with closing(MirrorBucket(manifest.uri, job.project)) as sibling:
            try:
                signed = read_signed(sibling, signing)
            except MirrorError as error:
                _LOG.info("%s; nothing is copied from there", error.message)
                continue
        yield signed.manifest


def _check_pickles(files: Sequence[MirroredFile], consent: PickledWeights, bucket: MirrorBucket, job: Job) -> None:
    place = f"{job.model_id}@{job.commit}"
    check_selected(files, consent, place)
    if consent == "scanned":
        check_scanned(
            pickles_among(files),
            lambda file, start, length: bucket.read_generation(file.path, file.generation, start, length),
            place,
        )


def _tell_found(published: Manifest, on_progress: OnProgress) -> None:
    meter = Meter(published.model_id, {file.path: file.size for file in published.files}, on_progress)
    for file in published.files:
        meter.found(file.path, file.size)


@dataclass(frozen=True)
class Comparison:
    """A repository's files: those that its mirror has, and those that it lacks."""

    present: tuple[HubFile, ...]
    missing: tuple[HubFile, ...]


def compare(
    model_id: str,
    commit: str,
    token: str | None,
    destination: str,
    project: str,
    selection: Selection = EVERYTHING_NEEDED,
) -> Comparison:
    """The files that `mirror_weights` would find and those that it would copy. Raises as it does; changes nothing."""
    job = Job(check_model_id(model_id), check_commit(commit), token, destination, project, Transfer())
    with google_errors("Cloud Storage", destination), closing(_bucket(job)) as bucket, _reader(job) as reader:
        manifest, _ = bucket.read_manifest()
        _, wanted = _wanted(job, selection, reader)
        objects = bucket.objects()
        bucket.check_fit()
        present = _present(wanted, bucket, objects, manifest if _is_of(manifest, model_id, commit) else None)
    return Comparison(
        tuple(file for file in wanted if file.path in present),
        tuple(file for file in wanted if file.path not in present),
    )


def _copy_missing(
    job: Job,
    selection: Selection,
    bucket: MirrorBucket,
    objects: dict[str, StoredObject],
    published: Manifest | None,
    on_progress: OnProgress,
    pickled_weights: PickledWeights,
    signing: SigningKey | None,
) -> tuple[MirroredFile, ...]:
    with ExitStack() as stack:
        reader = stack.enter_context(_reader(job))
        index, wanted = _wanted(job, selection, reader)
        check_selected(wanted, pickled_weights, f"{job.model_id}@{job.commit}")
        meter = Meter(job.model_id, {file.path: file.size for file in wanted}, on_progress)
        stack.enter_context(meter.beating())
        there = _present(wanted, bucket, objects, published)
        for file in there.values():
            meter.found(file.path, file.size)
        there |= copy_from_siblings(_missing(wanted, there), _siblings(bucket, job, signing), bucket, meter)
        with named(f"{job.model_id}@{job.commit}"):
            check_openings([file for file in wanted if file.path in there], bucket.read)
        missing = _missing(wanted, there)
        there |= copy_small_files([file for file in missing if not _is_large(file, job)], reader, bucket, meter)
        there |= copy_large_files([file for file in missing if _is_large(file, job)], job, meter)
        with named(f"{job.model_id}@{job.commit}"):
            _check_index(index, wanted, bucket)
    return tuple(there[file.path] for file in wanted)


def _wanted(job: Job, selection: Selection, reader: RepoReader) -> tuple[Mapping[str, str], tuple[HubFile, ...]]:
    """The index of the weights (tensor → path; empty where none is wanted) and the selected files."""
    listing = list_files(job.model_id, job.commit, job.token)
    with named(f"{job.model_id}@{job.commit}"):
        with saying_what_lasts(f"reading the index of {job.model_id} from the Hub"):
            index = read_index(reader, listing) if is_index_wanted(listing, selection) else {}
        indexed = frozenset(index.values())
        selected = select_files(listing, indexed, selection)
    if missing := left_out_of_index(selected, listing, indexed):
        _LOG.warning("%s: the patterns leave out %s, which the index names", job.destination, ", ".join(missing))
    return index, selected


def _check_index(index: Mapping[str, str], files: Sequence[HubFile], bucket: MirrorBucket) -> None:
    """Raises PlanError where the index names tensors that no shard holds, unless patterns leave a shard out.

    The headers are read from the objects, whose bytes are verified: on the way from the Hub any byte may be damaged.
    """
    indexed = frozenset(index.values())
    shards = [BucketFile(file.path, file.size) for file in files if file.path in indexed]
    if len(shards) == len(indexed) and all(file.path.endswith(".safetensors") for file in shards):
        check_tensors(index, read_tensors(BucketReader(bucket), shards))


def _missing(wanted: Sequence[HubFile], there: dict[str, MirroredFile]) -> list[HubFile]:
    return [file for file in wanted if file.path not in there]


def _is_large(file: HubFile, job: Job) -> bool:
    """Large files are in large file storage: the Hub lists their SHA-256."""
    return bool(file.sha256) and file.size > job.transfer.part_bytes


def _present(
    wanted: Sequence[HubFile], bucket: MirrorBucket, objects: dict[str, StoredObject], published: Manifest | None
) -> dict[str, MirroredFile]:
    """Path → object, for the files that an earlier run verified, or whose objects hold what the Hub lists."""
    earlier = {file.path: file for file in published.files} if published else {}
    found = {file.path: present_file(file, objects.get(file.path), earlier.get(file.path)) for file in wanted}
    known = {path: mirrored for path, mirrored in found.items() if mirrored is not None}
    return known | proven_files([file for file in wanted if file.path not in earlier], objects, bucket)


def present_file(file: HubFile, stored: StoredObject | None, earlier: MirroredFile | None) -> MirroredFile | None:
    """The object as an entry of the manifest, if `earlier`, of a manifest, has its content; else None.

    Its metadata alone proves nothing: anybody who may write an object writes its metadata, too.
    """
    mirrored = None if stored is None else stored.as_mirrored(file)
    if mirrored is None or earlier is None or earlier.crc32c != mirrored.crc32c:
        return None
    return mirrored


def _is_of(manifest: Manifest | None, model_id: str, commit: str) -> bool:
    return manifest is not None and (manifest.model_id, manifest.commit) == (model_id, commit)


def _bucket(job: Job) -> MirrorBucket:
    return MirrorBucket(job.destination, job.project, patience_seconds=job.transfer.patience_seconds)


def _reader(job: Job) -> RepoReader:
    transfer = job.transfer
    return RepoReader(
        job.model_id,
        job.commit,
        job.token,
        stall_seconds=transfer.stall_seconds,
        patience_seconds=transfer.patience_seconds,
    )
