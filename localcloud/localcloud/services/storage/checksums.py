"""CRC32C and MD5 of object bytes: computed while they stream, compared with the sender's, combined for parts."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import google_crc32c

from localcloud.services.storage.storage_errors import StorageError, invalid

# The Castagnoli polynomial with its bits reversed (RFC 3720, appendix B.4): bit 31 is the coefficient of x^0.
_POLYNOMIAL = 0x82F63B78
_ONE = 1 << 31
_X_TO_THE_8 = 1 << 23


class Digest:
    """Both checksums of the bytes of a stream so far."""

    def __init__(self) -> None:
        self.crc32c = 0
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self.crc32c = google_crc32c.extend(self.crc32c, data)
        self.size += len(data)
        self._md5.update(data)

    @property
    def md5(self) -> bytes:
        return self._md5.digest()


@dataclass(frozen=True)
class DeclaredChecksums:
    """Checksums that a sender declared for its bytes; None: not declared."""

    crc32c: int | None = None
    md5: bytes | None = None

    def verify(self, crc32c: int, md5: bytes | None) -> None:
        """Raises StorageError (400) on a mismatch. `md5` is None for bytes without MD5, as of composed objects."""
        if self.crc32c is not None and self.crc32c != crc32c:
            raise _mismatch("CRC32C", "CrcMismatch", encode_crc32c(self.crc32c), encode_crc32c(crc32c))
        if self.md5 is not None and md5 is not None and self.md5 != md5:
            raise _mismatch("MD5 hash", "BadDigest", encode_md5(self.md5), encode_md5(md5))

    def or_else(self, other: "DeclaredChecksums") -> "DeclaredChecksums":
        return DeclaredChecksums(
            other.crc32c if self.crc32c is None else self.crc32c, other.md5 if self.md5 is None else self.md5
        )


def declared_in_resource(resource: Mapping[str, Any]) -> DeclaredChecksums:
    """From an object resource's `crc32c` and `md5Hash`. Raises StorageError (400) when they are malformed."""
    crc32c, md5 = resource.get("crc32c"), resource.get("md5Hash")
    return DeclaredChecksums(
        decode_crc32c(str(crc32c)) if crc32c else None, _decode(str(md5), 16, "MD5") if md5 else None
    )


def declared_in_headers(headers: Mapping[str, str]) -> DeclaredChecksums:
    """From `x-goog-hash: crc32c=...,md5=...` and `Content-MD5`. Raises StorageError (400) for a malformed checksum."""
    values = dict.fromkeys(("crc32c", "md5"), "")
    for item in headers.get("x-goog-hash", "").split(","):
        algorithm, _, value = item.strip().partition("=")
        if algorithm and algorithm not in values:
            raise invalid(f"x-goog-hash names an unknown algorithm: {algorithm}", "InvalidDigest")
        values[algorithm] = value
    md5 = values["md5"] or headers.get("content-md5", "")
    return DeclaredChecksums(
        decode_crc32c(values["crc32c"]) if values["crc32c"] else None, _decode(md5, 16, "MD5") if md5 else None
    )


def encode_crc32c(crc32c: int) -> str:
    return base64.b64encode(crc32c.to_bytes(4, "big")).decode()


def decode_crc32c(text: str) -> int:
    return int.from_bytes(_decode(text, 4, "CRC32C"), "big")


def encode_md5(md5: bytes) -> str:
    return base64.b64encode(md5).decode()


def combine_crc32c(first: int, second: int, second_length: int) -> int:
    """CRC32C of two concatenated byte sequences, from the CRC32C of each; `second_length` in bytes.

    Appending the second sequence multiplies the first remainder by x^(8 * length) modulo the polynomial.
    """
    return _multiply(_x_to_the_8_times(second_length), first) ^ second


@lru_cache(maxsize=1024)
def _x_to_the_8_times(exponent: int) -> int:
    power, square = _ONE, _X_TO_THE_8
    while exponent:
        if exponent & 1:
            power = _multiply(power, square)
        square = _multiply(square, square)
        exponent >>= 1
    return power


def _multiply(left: int, right: int) -> int:
    product, bit = 0, _ONE
    while bit:
        if left & bit:
            product ^= right
        right = (right >> 1) ^ _POLYNOMIAL if right & 1 else right >> 1
        bit >>= 1
    return product


def _decode(text: str, length: int, algorithm: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != length:
        raise invalid(f"{text!r} is not a base64 {algorithm} checksum of {length} bytes.", "InvalidDigest")
    return value


def _mismatch(algorithm: str, code: str, declared: str, computed: str) -> StorageError:
    message = f'Provided {algorithm} "{declared}" doesn\'t match calculated {algorithm} "{computed}".'
    return StorageError(400, "invalid", message, code)
