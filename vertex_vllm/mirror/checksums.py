"""Is what arrived what the Hub lists?"""

import hashlib
from base64 import b64encode

import google_crc32c

from vertex_vllm.hub.listing import HubFile


class Checksums:
    """Checksums of one file, fed with its bytes in their order."""

    def __init__(self, file: HubFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        # Git's name for a file's content: SHA-1 over a header and the content.
        self._git_oid = None if file.sha256 else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        self._crc32c = 0
        self._size = 0

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._git_oid is not None:
            self._git_oid.update(data)
        self._crc32c = google_crc32c.extend(self._crc32c, data)
        self._size += len(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def crc32c(self) -> str:
        """As Cloud Storage writes it: base64 of the big-endian number."""
        return _base64(self._crc32c)

    def mismatch(self) -> str:
        """What differs from the Hub's listing; empty when nothing does."""
        if self._size != self._file.size:
            return f"{self._size} bytes arrived, {self._file.size} are listed"
        if self._git_oid is not None:
            arrived, listed, name = self._git_oid.hexdigest(), self._file.git_oid, "git oid"
        else:
            arrived, listed, name = self.sha256, self._file.sha256, "SHA-256"
        return "" if arrived == listed else f"{name} of what arrived is {arrived}, {listed} is listed"


def crc32c(data: bytes) -> str:
    """CRC32C of `data` as Cloud Storage writes it."""
    return _base64(google_crc32c.value(data))


def _base64(checksum: int) -> str:
    return b64encode(checksum.to_bytes(4, "big")).decode()
