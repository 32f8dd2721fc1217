"""Buckets in the metadata store."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from localcloud.services.storage.database import Transaction
from localcloud.services.storage.storage_errors import bucket_not_found


@dataclass(frozen=True)
class BucketRow:
    """A bucket. `settings`: the fields that a caller may set; `policy`: the IAM policy's version and bindings."""

    name: str
    project: str
    project_number: int
    location: str
    metageneration: int
    time_created: str
    updated: str
    settings: dict[str, Any]
    policy: dict[str, Any]

    @property
    def uniform_access(self) -> bool:
        access = self.settings.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {})
        return bool(access.get("enabled"))

    @property
    def object_retention(self) -> bool:
        """Whether objects may have a retention of their own."""
        return bool(self.settings.get("objectRetention", {}).get("mode") == "Enabled")

    @property
    def versioned(self) -> bool:
        return bool(self.settings.get("versioning", {}).get("enabled"))


def find_bucket(transaction: Transaction, name: str) -> BucketRow | None:
    row = transaction.execute("SELECT * FROM buckets WHERE name = ?", name).fetchone()
    return None if row is None else _bucket(row)


def existing_bucket(transaction: Transaction, name: str) -> BucketRow:
    """The bucket `name`. Raises StorageError (404)."""
    bucket = find_bucket(transaction, name)
    if bucket is None:
        raise bucket_not_found()
    return bucket


def save_bucket(transaction: Transaction, bucket: BucketRow) -> None:
    transaction.execute(
        "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        bucket.name,
        bucket.project,
        bucket.project_number,
        bucket.location,
        bucket.metageneration,
        bucket.time_created,
        bucket.updated,
        json.dumps(bucket.settings),
        json.dumps(bucket.policy),
    )


def remove_bucket(transaction: Transaction, name: str) -> None:
    """Removes a bucket with its unfinished uploads. Its objects must be removed before."""
    for table, statement in {
        "resumable_uploads": "SELECT blob FROM resumable_uploads WHERE bucket = ?",
        "multipart_uploads": "SELECT blob FROM parts JOIN multipart_uploads ON upload_id = id WHERE bucket = ?",
    }.items():
        transaction.free([row["blob"] for row in transaction.execute(statement, name)])
        transaction.execute(f"DELETE FROM {table} WHERE bucket = ?", name)
    transaction.execute("DELETE FROM buckets WHERE name = ?", name)


def is_empty(transaction: Transaction, name: str) -> bool:
    """Whether the bucket has no objects, including noncurrent ones."""
    return transaction.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", name).fetchone() is None


def buckets_of_project(
    transaction: Transaction, project_number: int, prefix: str, after: str, limit: int
) -> list[BucketRow]:
    rows = transaction.execute(
        "SELECT * FROM buckets WHERE project_number = ? AND name > ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
        project_number,
        after,
        len(prefix),
        prefix,
        limit,
    )
    return [_bucket(row) for row in rows]


def all_buckets(transaction: Transaction) -> list[BucketRow]:
    return [_bucket(row) for row in transaction.execute("SELECT * FROM buckets ORDER BY name")]


def _bucket(row: sqlite3.Row) -> BucketRow:
    values = dict(row)
    return BucketRow(**{**values, "settings": json.loads(values["settings"]), "policy": json.loads(values["policy"])})
