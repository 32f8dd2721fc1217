"""The metadata store: one sqlite file, with one writer at a time, consistent with the bytes after a kill.

Bytes are written before a row names them, and rows are deleted before their bytes. A killed process leaves at worst
bytes that no row names; the next start deletes them by `referenced_blobs`.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, project TEXT NOT NULL, project_number INTEGER NOT NULL, location TEXT NOT NULL,
    metageneration INTEGER NOT NULL, time_created TEXT NOT NULL, updated TEXT NOT NULL,
    settings TEXT NOT NULL, policy TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, size INTEGER NOT NULL, crc32c INTEGER NOT NULL, md5 BLOB, component_count INTEGER,
    time_created TEXT NOT NULL, updated TEXT NOT NULL, time_deleted TEXT, settings TEXT NOT NULL,
    UNIQUE (bucket, name, generation));
CREATE TABLE IF NOT EXISTS segments (
    object_id INTEGER NOT NULL REFERENCES objects ON DELETE CASCADE, position INTEGER NOT NULL,
    blob TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (object_id, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS segments_by_blob ON segments (blob);
CREATE TABLE IF NOT EXISTS generations (last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS resumable_uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, blob TEXT NOT NULL, settings TEXT NOT NULL,
    preconditions TEXT NOT NULL, checksums TEXT NOT NULL, size INTEGER, time_created TEXT NOT NULL,
    generation INTEGER, cancelled INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS multipart_uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL, time_created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL REFERENCES multipart_uploads ON DELETE CASCADE, number INTEGER NOT NULL, blob TEXT NOT NULL,
    size INTEGER NOT NULL, crc32c INTEGER NOT NULL, md5 BLOB NOT NULL, last_modified TEXT NOT NULL,
    PRIMARY KEY (upload_id, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parts_by_blob ON parts (blob);
CREATE TABLE IF NOT EXISTS part_requests (
    id INTEGER PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, upload_id TEXT NOT NULL, number INTEGER NOT NULL,
    size INTEGER NOT NULL, stored INTEGER NOT NULL, began TEXT NOT NULL, ended TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS part_requests_by_object ON part_requests (bucket, name);
CREATE TABLE IF NOT EXISTS soft_deleted (
    id INTEGER PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, object TEXT NOT NULL,
    soft_delete_time TEXT NOT NULL, hard_delete_time TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS soft_deleted_by_object ON soft_deleted (bucket, name);
CREATE TABLE IF NOT EXISTS soft_deleted_segments (
    entry INTEGER NOT NULL, position INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (entry, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS soft_deleted_segments_by_blob ON soft_deleted_segments (blob);
"""

_REFERENCES = """
SELECT blob FROM segments UNION SELECT blob FROM parts UNION SELECT blob FROM soft_deleted_segments
UNION SELECT blob FROM resumable_uploads WHERE generation IS NULL AND NOT cancelled
"""

_IS_REFERENCED = """
SELECT EXISTS (SELECT 1 FROM segments WHERE blob = ?1) OR EXISTS (SELECT 1 FROM parts WHERE blob = ?1)
OR EXISTS (SELECT 1 FROM soft_deleted_segments WHERE blob = ?1)
OR EXISTS (SELECT 1 FROM resumable_uploads WHERE blob = ?1 AND generation IS NULL AND NOT cancelled)
"""


class Transaction:
    """Reads and writes that happen together or not at all (a sqlite transaction)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.freed: set[str] = set()

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(statement, rows)

    def free(self, blobs: Iterable[str]) -> None:
        """Notes that a row that named these bytes was deleted. At the end, bytes that no row names are deleted."""
        self.freed.update(blobs)


class Database:
    def __init__(self, path: Path, discard: Callable[[Iterable[str]], None]) -> None:
        self._discard = discard
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        # A write-ahead log without a sync per commit survives a killed process, the only failure expected here.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._lock:
            transaction = Transaction(self._connection)
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield transaction
                unreferenced = [blob for blob in transaction.freed if not self._is_referenced(blob)]
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._discard(unreferenced)

    def referenced_blobs(self) -> set[str]:
        with self._lock:
            return {row["blob"] for row in self._connection.execute(_REFERENCES)}

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _is_referenced(self, blob: str) -> bool:
        return bool(self._connection.execute(_IS_REFERENCED, (blob,)).fetchone()[0])
