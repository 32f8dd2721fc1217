"""Hashes of files, streamed, and cached by path, time of change and size, so that weights are read only once."""

import hashlib
import sqlite3
import threading
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hashes (
    path TEXT NOT NULL, algorithm TEXT NOT NULL, changed INTEGER NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (path, algorithm))
"""
_READ_SIZE = 1 << 20


class FileHashes:
    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_SCHEMA)
        rows = self._connection.execute("SELECT path, algorithm, changed, size, digest FROM hashes")
        self._known: dict[tuple[str, str], tuple[int, int, str]] = {
            (path, algorithm): (changed, size, digest) for path, algorithm, changed, size, digest in rows
        }
        self._hashing = threading.Lock()

    def sha256(self, path: Path) -> str:
        """SHA-256 of the file's bytes, in hexadecimal, by which Git LFS names it."""
        return self._remembered(path, "sha256")

    def git_blob(self, path: Path) -> str:
        """SHA-1 by which git names the file, in hexadecimal."""
        return self._remembered(path, "git-blob")

    def close(self) -> None:
        with self._hashing:
            self._connection.close()

    def _remembered(self, path: Path, algorithm: str) -> str:
        key, status = (str(path), algorithm), path.stat()
        state = (status.st_mtime_ns, status.st_size)
        known = self._known.get(key)
        if known is not None and known[:2] == state:
            return known[2]
        # One file at a time: a second request for the same file waits and finds its hash.
        with self._hashing:
            known = self._known.get(key)
            if known is None or known[:2] != state:
                known = (*state, _hash(path, algorithm, status.st_size))
                self._known[key] = known
                self._connection.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", (*key, *known))
        return known[2]


def _hash(path: Path, algorithm: str, size: int) -> str:
    digest = hashlib.sha256() if algorithm == "sha256" else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while data := file.read(_READ_SIZE):
            digest.update(data)
    return digest.hexdigest()
