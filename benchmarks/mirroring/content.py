"""The files of an invented model: any number of bytes, from one repeated block."""

import base64
import hashlib
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from crc32c import crc32c

# Not a multiple of any part's length, so that a part in the wrong place has wrong bytes.
_BLOCK_BYTES = (37 << 20) + 4099
# Bytes of each file's header: as in a shard of a model with some billions of parameters.
_HEADER_BYTES, _TENSORS = 64 << 10, 300


@cache
def _block() -> memoryview:
    return memoryview(random.Random(0).randbytes(_BLOCK_BYTES))


@cache
def _header(size: int) -> bytes:
    """The header of a safetensors file of `size` bytes, as long as in a shard of some GB."""
    room = size - 8 - _HEADER_BYTES
    ends = [room * number // _TENSORS for number in range(_TENSORS + 1)]
    entries = {
        f"model.layers.{number}.mlp.down_proj.weight": {
            "dtype": "U8",
            "shape": [end - begin],
            "data_offsets": [begin, end],
        }
        for number, (begin, end) in enumerate(pairwise(ends))
    }
    return struct.pack("<Q", _HEADER_BYTES) + json.dumps(entries).encode().ljust(_HEADER_BYTES)


def pieces(start: int, length: int, size: int) -> Iterator[memoryview]:
    """Bytes of a file of `size` bytes, from `start`, without a copy."""
    header = memoryview(_header(size))[start : start + length]
    if header:
        yield header
    yield from _repeated(start + len(header), length - len(header))


def _repeated(start: int, length: int) -> Iterator[memoryview]:
    while length > 0:
        offset = start % _BLOCK_BYTES
        piece = _block()[offset : offset + length]
        yield piece
        start += len(piece)
        length -= len(piece)


@cache
def md5(head: bytes, length: int, size: int) -> str:
    """MD5 in Base64 of `length` bytes that begin with `head`, anywhere in a file of `size` bytes; computed once."""
    hashing = hashlib.md5(usedforsecurity=False)
    first = _header(size).startswith(head)
    for piece in pieces(0, length, size) if first else _repeated(bytes(_block()).index(head), length):
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
    for piece in pieces(0, size, size):
        hashing.update(piece)
        checksum = crc32c(piece, checksum)
    return File(path, size, hashing.hexdigest(), checksum)


def model(files: int, size: int) -> tuple[File, ...]:
    """`files` safetensors files of `size` bytes each, like a sharded model's, all with the same content."""
    names = (f"model-{number:05}-of-{files:05}.safetensors" for number in range(1, files + 1))
    whole = _file("", size)
    return tuple(File(name, size, whole.sha256, whole.crc32c) for name in names)
