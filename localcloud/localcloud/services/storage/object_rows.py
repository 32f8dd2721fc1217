"""Objects in the metadata store: their versions and the segments of bytes that make them up."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.services.storage.database import Transaction

_SELECT = """
SELECT objects.*, (SELECT json_extract(buckets.settings, '$.retentionPolicy.retentionPeriod') FROM buckets
WHERE buckets.name = objects.bucket) AS retained_seconds FROM objects
"""


@dataclass(frozen=True)
class Segment:
    """A part of an object's bytes: a whole file of the bytes store."""

    blob: str
    size: int


@dataclass(frozen=True)
class Content:
    """An object's bytes. Composed objects and those of XML multipart uploads have several segments and no MD5."""

    segments: tuple[Segment, ...]
    crc32c: int
    md5: bytes | None = None
    component_count: int | None = None

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)


@dataclass(frozen=True)
class ObjectRow:
    """A version of an object. `settings`: fields that a caller may set; `time_deleted`: None for the live version."""

    id: int
    bucket: str
    name: str
    generation: int
    metageneration: int
    size: int
    crc32c: int
    md5: bytes | None
    component_count: int | None
    time_created: str
    updated: str
    time_deleted: str | None
    settings: dict[str, Any]
    retained_seconds: int = 0
    """Period of the bucket's retention policy, in seconds; 0 without a policy."""


def next_generation(transaction: Transaction, now: datetime) -> int:
    """A new generation: microseconds since 1970, as in Cloud Storage, and greater than all earlier generations."""
    row = transaction.execute("SELECT last FROM generations").fetchone()
    generation = max(int(now.timestamp() * 1_000_000), row["last"] + 1 if row else 1)
    transaction.execute("DELETE FROM generations")
    transaction.execute("INSERT INTO generations VALUES (?)", generation)
    return generation


def insert_object(
    transaction: Transaction,
    bucket: str,
    name: str,
    generation: int,
    time: str,
    content: Content,
    settings: dict[str, Any],
) -> ObjectRow:
    cursor = transaction.execute(
        "INSERT INTO objects VALUES (NULL, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, NULL, ?)",
        bucket,
        name,
        generation,
        content.size,
        content.crc32c,
        content.md5,
        content.component_count,
        time,
        time,
        json.dumps(settings),
    )
    row_id = cursor.lastrowid
    transaction.execute_many(
        "INSERT INTO segments VALUES (?, ?, ?, ?)",
        [(row_id, position, segment.blob, segment.size) for position, segment in enumerate(content.segments)],
    )
    return _object(transaction.execute(f"{_SELECT} WHERE id = ?", row_id).fetchone())


def find_object(transaction: Transaction, bucket: str, name: str, generation: int | None = None) -> ObjectRow | None:
    """The live version, or the version of that generation; None if it does not exist."""
    if generation is None:
        statement = f"{_SELECT} WHERE bucket = ? AND name = ? AND time_deleted IS NULL"
        row = transaction.execute(statement, bucket, name).fetchone()
    else:
        statement = f"{_SELECT} WHERE bucket = ? AND name = ? AND generation = ?"
        row = transaction.execute(statement, bucket, name, generation).fetchone()
    return None if row is None else _object(row)


def content_of(transaction: Transaction, row: ObjectRow) -> Content:
    rows = transaction.execute("SELECT blob, size FROM segments WHERE object_id = ? ORDER BY position", row.id)
    segments = tuple(Segment(segment["blob"], segment["size"]) for segment in rows)
    return Content(segments, row.crc32c, row.md5, row.component_count)


def save_object(transaction: Transaction, row: ObjectRow) -> None:
    """Writes the fields of a version that can change: settings, metageneration and times."""
    transaction.execute(
        "UPDATE objects SET settings = ?, metageneration = ?, updated = ?, time_deleted = ? WHERE id = ?",
        json.dumps(row.settings),
        row.metageneration,
        row.updated,
        row.time_deleted,
        row.id,
    )


def remove_object(transaction: Transaction, row: ObjectRow) -> None:
    transaction.free([segment.blob for segment in content_of(transaction, row).segments])
    transaction.execute("DELETE FROM objects WHERE id = ?", row.id)


def objects_in_order(
    transaction: Transaction, bucket: str, *, start: str, stop: str | None, versions: bool
) -> Iterator[ObjectRow]:
    """Objects named from `start` (included) to `stop` (excluded, None = the end), in the order of their UTF-8."""
    statement = f"{_SELECT} WHERE bucket = ? AND name >= ?"
    values = [bucket, start]
    if stop is not None:
        statement += " AND name < ?"
        values.append(stop)
    if not versions:
        statement += " AND time_deleted IS NULL"
    for row in transaction.execute(statement + " ORDER BY name, generation", *values):
        yield _object(row)


def _object(row: sqlite3.Row) -> ObjectRow:
    values = dict(row)
    changed = {"settings": json.loads(values["settings"]), "retained_seconds": int(values["retained_seconds"] or 0)}
    return ObjectRow(**{**values, **changed})
