"""The files of a model that exists nowhere: bytes of any amount, from one block that is repeated."""

import base64
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from crc32c import crc32c

# No multiple of any part's length: a part in the wrong place has the wrong bytes.
_BLOCK_BYTES = (37 << 20) + 4099


@cache
def _block() -> memoryview:
    return memoryview(random.Random(0).randbytes(_BLOCK_BYTES))


def pieces(start: int, length: int) -> Iterator[memoryview]:
    """The bytes from `start` on, without copying any."""
    while length > 0:
        offset = start % _BLOCK_BYTES
        piece = _block()[offset : offset + length]
        yield piece
        start += len(piece)
        length -= len(piece)


@cache
def md5(head: bytes, size: int) -> str:
    """In Base64, of the `size` bytes that begin with `head`, wherever in a file that is; computed once."""
    hashing = hashlib.md5(usedforsecurity=False)
    for piece in pieces(bytes(_block()).index(head), size):
        hashing.update(piece)
    return base64.b64encode(hashing.digest()).decode()


@dataclass(frozen=True)
class File:
    path: str
    size: int
    sha256: str
    crc32c: int


@cache
def _file(path: str, size: int) -> File:
    hashing, checksum = hashlib.sha256(), 0
    for piece in pieces(0, size):
        hashing.update(piece)
        checksum = crc32c(piece, checksum)
    return File(path, size, hashing.hexdigest(), checksum)


def model(files: int, size: int) -> tuple[File, ...]:
    """That many safetensors files, each of `size` bytes, as a sharded model has them; all of the same content."""
    names = (f"model-{number:05}-of-{files:05}.safetensors" for number in range(1, files + 1))
    whole = _file("", size)
    return tuple(File(name, size, whole.sha256, whole.crc32c) for name in names)
