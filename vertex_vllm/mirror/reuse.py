"""Copies files from another commit's mirror inside Cloud Storage, instead of reading them from the Hub."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.bucket import CopySource, MirrorBucket
from vertex_vllm.mirror.destination import split_destination
from vertex_vllm.mirror.manifest import Manifest, MirroredFile
from vertex_vllm.mirror.progress import Meter

_AT_ONCE = 8


def copy_from_siblings(
    files: Sequence[HubFile], siblings: Iterable[Manifest], bucket: MirrorBucket, meter: Meter
) -> dict[str, MirroredFile]:
    """Path → object for each file whose content is already under another prefix: copied inside Cloud Storage, in
    seconds.

    `siblings`: manifests that are believed, of mirrors in the same bucket; read only if there are files to look for.
    Only files whose SHA-256 the Hub lists are looked for: the others are small.
    """
    wanted = {file.sha256: file for file in files if file.sha256}
    if not wanted:
        return {}
    sources: dict[str, CopySource] = {}
    for manifest in siblings:
        _, prefix = split_destination(manifest.uri)
        for file in manifest.files:
            if file.sha256 in wanted and file.size == wanted[file.sha256].size:
                sources.setdefault(file.sha256, CopySource(f"{prefix}/{file.path}", file.generation, file.crc32c))

    def copy(file: HubFile) -> MirroredFile | None:
        copied = bucket.copy(sources[file.sha256], file)
        if copied is not None:
            meter.found(file.path, file.size)
        return copied

    found = [file for file in files if file.sha256 in sources]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        copies = threads.map(copy, found)
        return {file.path: copied for file, copied in zip(found, copies, strict=True) if copied is not None}
