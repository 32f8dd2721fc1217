"""One file from the Hub into the bucket: read ahead, hashed in order, sent in parts, visible only once verified."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import ceil
from typing import TypeVar

from vertex_vllm.errors import MirrorError, ServiceError
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.listing import HubFile
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.checksums import Checksums
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.multipart import MOST_PARTS, MultipartUpload
from vertex_vllm.mirror.progress import Meter

# Bytes. Large enough for a request's cost to vanish, small enough for the six that a file holds at most to stay below
# 100 MiB: two being read, one being put together, one being hashed, two being sent.
PART_BYTES = 16 << 20
_READS = 2
_SENDS = 2
CONNECTIONS_PER_FILE = _READS + _SENDS

Result = TypeVar("Result")


def copy_file(file: HubFile, reader: RepoReader, bucket: MirrorBucket, meter: Meter) -> MirroredFile:
    """Copies one file. Raises MirrorError, with nothing published, when what arrived is not what the Hub lists."""
    checksums = Checksums(file)
    if file.size <= PART_BYTES:
        data = reader.read(file)
        checksums.update(data)
        _verify(file, checksums, reader)
        bucket.write(file, data, checksums)
        meter.copied(file.size)
    else:
        _copy_in_parts(file, reader, bucket, checksums, meter)
    return _as_stored(file, bucket, checksums)


def part_bytes(size: int) -> int:
    """Bytes of each part but the last of a file of `size` bytes."""
    return max(PART_BYTES, ceil(size / MOST_PARTS))


def _copy_in_parts(file: HubFile, reader: RepoReader, bucket: MirrorBucket, checksums: Checksums, meter: Meter) -> None:
    upload = bucket.begin(file)
    try:
        etags = _send_parts(file, reader, upload, checksums, meter)
        _verify(file, checksums, reader)
        upload.complete(etags)
    except BaseException:
        # The bucket's lifecycle rule clears away what cannot be aborted now.
        with suppress(ServiceError):
            upload.abort()
        raise


def _send_parts(
    file: HubFile, reader: RepoReader, upload: MultipartUpload, checksums: Checksums, meter: Meter
) -> dict[int, str]:
    """Part number → ETag."""
    length = part_bytes(file.size)
    starts = range(0, file.size, length)
    reads = (partial(reader.read, file, start, min(length, file.size - start)) for start in starts)

    def hashed() -> Iterator[Callable[[], str]]:
        for number, data in enumerate(in_order(readers, reads, _READS), start=1):
            checksums.update(data)
            yield partial(_send, upload, number, data, meter)

    with ThreadPoolExecutor(_READS) as readers, ThreadPoolExecutor(_SENDS) as senders:
        return dict(enumerate(in_order(senders, hashed(), _SENDS), start=1))


def _send(upload: MultipartUpload, number: int, data: bytes, meter: Meter) -> str:
    etag = upload.put(number, data)
    meter.copied(len(data))
    return etag


def in_order(pool: Executor, tasks: Iterable[Callable[[], Result]], at_once: int) -> Iterator[Result]:
    """Results of tasks in the tasks' order, with `at_once` of them begun and not yet taken."""
    begun: deque[Future[Result]] = deque()
    for task in tasks:
        begun.append(pool.submit(task))
        if len(begun) == at_once:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _verify(file: HubFile, checksums: Checksums, reader: RepoReader) -> None:
    if mismatch := checksums.mismatch():
        raise MirrorError(
            f"{mismatch}; nothing of it was published",
            where=f"{reader.model_id}@{reader.commit}: {file.path}",
            fix="Try again; if it stays, the repository is damaged.",
        )


def _as_stored(file: HubFile, bucket: MirrorBucket, checksums: Checksums) -> MirroredFile:
    """The object that came of it, compared with what was sent."""
    stored = bucket.look(file.path)
    if stored is None or (stored.size, stored.crc32c) != (file.size, checksums.crc32c):
        if stored is not None:
            bucket.delete(file.path, stored.generation)
        raise MirrorError("the object in the bucket is not what was sent", where=f"{bucket.uri}/{file.path}")
    return MirroredFile(file.path, file.size, checksums.sha256, checksums.crc32c, stored.generation)
