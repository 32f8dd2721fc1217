"""The cost of the mirror's check of file contents: its processor time beside that of their SHA-256."""

import hashlib
import time
from dataclasses import dataclass

from benchmarks.mirroring.content import File, pieces
from vertex_vllm.mirror.content_check import PassingContent
from vertex_vllm.mirror.transfer_options import PART_BYTES
from vertex_vllm.model.safetensors import read_tensors
from vertex_vllm.model.shard_index import check_tensors

_REPETITIONS = 5
_HASHED = 10


@dataclass(frozen=True)
class Cost:
    check_seconds: float
    """Processor seconds to check one file whose parts arrive in order; the minimum of five runs."""
    index_seconds: float
    """Processor seconds to compare the header with an index, without the request for it; the minimum of five."""
    sha256_seconds: float
    """Processor seconds to hash as many bytes."""

    def __str__(self) -> str:
        seconds = self.check_seconds + self.index_seconds
        return (
            f"{1e3 * self.check_seconds:.1f} ms of processor time for each file, and {1e3 * self.index_seconds:.1f} ms "
            f"to compare it with an index: {seconds / self.sha256_seconds:.2%} of its SHA-256"
        )


@dataclass(frozen=True)
class _Reader:
    """Reads the start of a file that is in memory."""

    begin: memoryview

    def read(self, file: File, start: int = 0, length: int | None = None) -> bytes:
        return bytes(self.begin[start : start + (file.size if length is None else length)])


def measure_check(file: File) -> Cost:
    """Measures the check of `file`, in parts as the mirror reads them."""
    first = memoryview(b"".join(pieces(0, min(PART_BYTES, file.size), file.size)))
    # The check skips parts after the header, whatever their content.
    rest = max(file.size - len(first), 0) // PART_BYTES

    def check() -> float:
        begun = time.process_time()
        content = PassingContent(file, 0)
        for part in (first, *[first] * rest):
            content.update(part)
        content.check(lambda start, length: b"")
        return time.process_time() - begun

    reader = _Reader(first)
    index = dict.fromkeys(read_tensors(reader, [file])[file.path], file.path)

    def compare() -> float:
        begun = time.process_time()
        check_tensors(index, read_tensors(reader, [file]))
        return time.process_time() - begun

    begun = time.process_time()
    for _ in range(_HASHED):
        hashlib.sha256(first)
    of_part = (time.process_time() - begun) / _HASHED
    least, compared = (min(each() for _ in range(_REPETITIONS)) for each in (check, compare))
    return Cost(least, compared, of_part * file.size / len(first))
