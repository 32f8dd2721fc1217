"""Object bytes on disk, in files named by random ids; the metadata store knows their objects.

A file is written once, from start to end. `discard` deletes the bytes of a deleted object; a download in progress
keeps them until its end.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from localcloud.services.storage.checksums import Digest

READ_SIZE = 1 << 20


class IdSource(Protocol):
    """A source of ids: the part of `localcloud.core.ids.Ids` that this package needs."""

    def hex(self, length: int = 32) -> str:
        """An id of that many hexadecimal digits in lower case."""


class BytesWriter:
    """Appends to one file and computes its checksums."""

    def __init__(self, blob: str, descriptor: int, digest: Digest) -> None:
        self.blob = blob
        self.digest = digest
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.digest.update(data)

    def close(self) -> None:
        os.close(self._descriptor)


class BytesStore:
    def __init__(self, directory: Path, ids: IdSource) -> None:
        self._directory = directory
        self._ids = ids
        self._lock = threading.Lock()
        self._readers: dict[str, int] = {}
        self._discarded: set[str] = set()
        directory.mkdir(parents=True, exist_ok=True)

    def create(self) -> BytesWriter:
        while True:
            blob = self._ids.hex(32)
            path = self._path(blob)
            path.parent.mkdir(exist_ok=True)
            # After a restart with the same seed, the source repeats ids: an id in use is skipped.
            with suppress(FileExistsError):
                return BytesWriter(blob, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), Digest())

    def reopen(self, blob: str, block: int) -> BytesWriter:
        """Continues a file that an interrupted process left, truncated to whole blocks of `block` bytes."""
        path = self._path(blob)
        whole_blocks = path.stat().st_size // block * block
        digest = Digest()
        for data in self._read(blob, 0, whole_blocks):
            digest.update(data)
        descriptor = os.open(path, os.O_WRONLY)
        os.ftruncate(descriptor, whole_blocks)
        os.lseek(descriptor, whole_blocks, os.SEEK_SET)
        return BytesWriter(blob, descriptor, digest)

    @contextmanager
    def reading(self, blobs: Iterable[str]) -> Iterator[None]:
        """Keeps these bytes on disk until the `with` block ends, even if they are discarded in between."""
        held = list(blobs)
        self.hold(held)
        try:
            yield
        finally:
            self.release(held)

    def hold(self, blobs: Iterable[str]) -> None:
        with self._lock:
            for blob in blobs:
                self._readers[blob] = self._readers.get(blob, 0) + 1

    def release(self, blobs: Iterable[str]) -> None:
        with self._lock:
            for blob in blobs:
                self._readers[blob] -= 1
                if not self._readers[blob]:
                    del self._readers[blob]
                    if blob in self._discarded:
                        self._discarded.remove(blob)
                        self._path(blob).unlink(missing_ok=True)

    def read(self, blob: str, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`."""
        with self._path(blob).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)

    def discard(self, blobs: Iterable[str]) -> None:
        with self._lock:
            for blob in blobs:
                if blob in self._readers:
                    self._discarded.add(blob)
                else:
                    self._path(blob).unlink(missing_ok=True)

    def sweep(self, referenced: set[str]) -> None:
        """Removes files of a killed process that no metadata refers to. Must run before the first request."""
        for path in self._directory.glob("*/*"):
            if path.name not in referenced:
                path.unlink()

    def _read(self, blob: str, offset: int, stop: int) -> Iterator[bytes]:
        while offset < stop:
            data = self.read(blob, offset, min(READ_SIZE, stop - offset))
            offset += len(data)
            yield data

    def _path(self, blob: str) -> Path:
        return self._directory / blob[:2] / blob
