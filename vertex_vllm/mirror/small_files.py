"""Copies small files into the bucket: each is read whole, verified, and written with one request."""

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from vertex_vllm.errors import MirrorError
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.checksums import Checksums
from vertex_vllm.mirror.content_check import check_content, named
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.progress import FileMeter, Meter

_AT_ONCE = 4
# How often a file is read when other content arrives than is listed.
_READS = 3


def copy_small_files(
    files: Sequence[HubFile], reader: RepoReader, bucket: MirrorBucket, meter: Meter
) -> dict[str, MirroredFile]:
    """Path → object for each file. After the first failure no other file begins."""

    def copy(file: HubFile) -> MirroredFile:
        copied = copy_small_file(file, reader, bucket, meter.file(file.path))
        meter.done(file.path)
        return copied

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        begun = {file.path: pool.submit(copy, file) for file in files}
        done, _ = wait(begun.values(), return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        return {path: future.result() for path, future in begun.items()}
    except BaseException:
        reader.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def copy_small_file(file: HubFile, reader: RepoReader, bucket: MirrorBucket, meter: FileMeter) -> MirroredFile:
    """Copies a file. Raises MirrorError, with nothing published, if other content than listed arrives three times."""
    data, checksums = _verified(file, reader, meter)
    bucket.write(file, data, checksums)
    meter.copied(file.size)
    stored = bucket.look(file.path)
    if stored is None or (stored.size, stored.crc32c) != (file.size, checksums.crc32c):
        if stored is not None:
            bucket.delete(file.path, stored.generation)
        raise MirrorError(
            "the object in the bucket is not what was sent", where=f"{bucket.uri}/{file.path}", path=file.path
        )
    return MirroredFile(file.path, file.size, checksums.sha256, checksums.crc32c, stored.generation)


def _verified(file: HubFile, reader: RepoReader, meter: FileMeter) -> tuple[bytes, Checksums]:
    for _ in range(_READS):
        data = reader.read(file)
        checksums = Checksums(file, data)
        mismatch = checksums.mismatch()
        if not mismatch:
            with named(reader.where(file), file.path):
                check_content(file, data)
            return data, checksums
        meter.retried()
    raise MirrorError(
        f"{mismatch}, {_READS} times; nothing of it was published",
        where=reader.where(file),
        fix="Try again; if it persists, the repository is damaged.",
        path=file.path,
    )
