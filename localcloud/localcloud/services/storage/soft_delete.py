"""Soft delete: a bucket with a `softDeletePolicy` keeps deleted and replaced versions, with their bytes, for a time.

cloud.google.com/storage/docs/soft-delete: objects are listed with `softDeleted=true`, restored by `restore`, billed
as before, and removed at their `hardDeleteTime`. A deleted bucket loses its soft-deleted objects.
"""

import json
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from localcloud.services.storage import object_rows
from localcloud.services.storage.backend import Backend, format_time
from localcloud.services.storage.bucket_rows import BucketRow
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.object_rows import Content, ObjectRow, Segment
from localcloud.services.storage.resources import object_resource


def remove(transaction: Transaction, backend: Backend, bucket: BucketRow, row: ObjectRow) -> None:
    """Deletes a version: permanently or, with a soft delete policy, for the policy's time."""
    policy = bucket.settings.get("softDeletePolicy", {})
    seconds = int(policy.get("retentionDurationSeconds", 0))
    content = object_rows.content_of(transaction, row)
    object_rows.remove_object(transaction, row)
    if not seconds:
        return
    now = backend.clock()
    cursor = transaction.execute(
        "INSERT INTO soft_deleted VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        row.bucket,
        row.name,
        row.generation,
        json.dumps({**asdict(row), "md5": row.md5.hex() if row.md5 is not None else None}),
        format_time(now),
        format_time(now + timedelta(seconds=seconds)),
    )
    transaction.execute_many(
        "INSERT INTO soft_deleted_segments VALUES (?, ?, ?, ?)",
        [(cursor.lastrowid, position, segment.blob, segment.size) for position, segment in enumerate(content.segments)],
    )


def kept(transaction: Transaction, bucket: str, prefix: str, base_url: str, now: datetime) -> list[dict[str, Any]]:
    """Soft-deleted objects under `prefix`, by name and generation, as the JSON API shows them."""
    _forget_expired(transaction, now)
    found = transaction.execute(
        "SELECT * FROM soft_deleted WHERE bucket = ? ORDER BY name, generation", bucket
    ).fetchall()
    return [_resource(entry, base_url) for entry in found if entry["name"].startswith(prefix)]


def take(
    transaction: Transaction, bucket: str, name: str, generation: int, now: datetime
) -> tuple[ObjectRow, Content] | None:
    """Removes a generation from the soft-deleted ones and returns it with its content; None if it is not there."""
    _forget_expired(transaction, now)
    entry = transaction.execute(
        "SELECT * FROM soft_deleted WHERE bucket = ? AND name = ? AND generation = ?", bucket, name, generation
    ).fetchone()
    if entry is None:
        return None
    row = _row(entry)
    segments = transaction.execute(
        "SELECT blob, size FROM soft_deleted_segments WHERE entry = ? ORDER BY position", entry["id"]
    )
    content = Content(
        tuple(Segment(found["blob"], found["size"]) for found in segments), row.crc32c, row.md5, row.component_count
    )
    _forget(transaction, "id = ?", entry["id"])
    return row, content


def forget_bucket(transaction: Transaction, bucket: str) -> None:
    """Removes a deleted bucket's soft-deleted objects."""
    _forget(transaction, "bucket = ?", bucket)


def _forget_expired(transaction: Transaction, now: datetime) -> None:
    _forget(transaction, "hard_delete_time <= ?", format_time(now))


def _forget(transaction: Transaction, condition: str, value: Any) -> None:
    chosen = f"SELECT id FROM soft_deleted WHERE {condition}"
    blobs = transaction.execute(f"SELECT blob FROM soft_deleted_segments WHERE entry IN ({chosen})", value)
    transaction.free([found["blob"] for found in blobs])
    transaction.execute(f"DELETE FROM soft_deleted_segments WHERE entry IN ({chosen})", value)
    transaction.execute(f"DELETE FROM soft_deleted WHERE {condition}", value)


def _resource(entry: Any, base_url: str) -> dict[str, Any]:
    times = {"softDeleteTime": entry["soft_delete_time"], "hardDeleteTime": entry["hard_delete_time"]}
    return {**object_resource(_row(entry), base_url), **times}


def _row(entry: Any) -> ObjectRow:
    fields = json.loads(entry["object"])
    row = ObjectRow(**fields)
    return replace(row, md5=bytes.fromhex(fields["md5"]) if fields["md5"] is not None else None)
