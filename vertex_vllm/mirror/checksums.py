"""Checksums: of arrived bytes against the Hub's listing, of stored bytes against those that were sent."""

import hashlib
from base64 import b64encode
from functools import cache

from crc32c import crc32c as extend_crc32c

from vertex_vllm.hub.file_listing import HubFile

# CRC-32C (Castagnoli), bits reversed: RFC 3720, appendix B.4.
_POLYNOMIAL = 0x82F63B78

__all__ = ["Checksums", "as_base64", "combine_crc32c", "extend_crc32c"]


class Checksums:
    """Checksums of one small file."""

    def __init__(self, file: HubFile, data: bytes) -> None:
        self._file, self._size = file, len(data)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.crc32c = as_base64(extend_crc32c(data))
        # Git's name for a file's content: SHA-1 over a header and the content.
        self._git_oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def mismatch(self) -> str:
        """The difference to the Hub's listing, in words; empty if there is none."""
        if self._size != self._file.size:
            return f"{self._size} bytes arrived, {self._file.size} are listed"
        if self._file.sha256:
            return differs("SHA-256", self.sha256, self._file.sha256)
        return differs("git oid", self._git_oid, self._file.git_oid)


def differs(name: str, arrived: str, listed: str) -> str:
    """The difference of two checksums, in words; empty if they are equal."""
    return "" if arrived == listed else f"{name} of what arrived is {arrived}, {listed} is listed"


def as_base64(checksum: int) -> str:
    """A CRC32C as Cloud Storage writes it: base64 of the big-endian number."""
    return b64encode(checksum.to_bytes(4, "big")).decode()


def combine_crc32c(first: int, second: int, length: int) -> int:
    """CRC32C of one piece followed by another of `length` bytes, from the CRC32C of each.

    Appending zeroes to a message is linear over GF(2): a 32 × 32 matrix, squared for twice as many zeroes.
    Method of zlib's `crc32_combine`.
    """
    return _times(_zeroes(length), first) ^ second


Matrix = tuple[int, ...]


@cache
def _zeroes(length: int) -> Matrix:
    """The effect of `length` zero bytes on a CRC. Cached: a file has parts of one length, and a last one."""
    one_bit: Matrix = (_POLYNOMIAL, *(1 << bit for bit in range(31)))
    power = _squared(_squared(_squared(one_bit)))
    result: Matrix = tuple(1 << bit for bit in range(32))
    while length:
        if length & 1:
            result = tuple(_times(power, column) for column in result)
        power = _squared(power)
        length >>= 1
    return result


def _squared(matrix: Matrix) -> Matrix:
    return tuple(_times(matrix, column) for column in matrix)


def _times(matrix: Matrix, vector: int) -> int:
    product = 0
    for column in matrix:
        if vector & 1:
            product ^= column
        vector >>= 1
    return product
