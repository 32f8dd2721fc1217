"""Unfinished uploads in the metadata store: resumable sessions of the JSON API, multipart uploads of the XML API."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from localcloud.services.storage.bytes_store import IdSource
from localcloud.services.storage.checksums import DeclaredChecksums
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.preconditions import Preconditions


@dataclass(frozen=True)
class ResumableUpload:
    """A session of a resumable upload."""

    id: str
    bucket: str
    name: str
    """Of the object that will be written."""
    blob: str
    """File of the bytes store that holds what has arrived."""
    settings: dict[str, Any]
    """Metadata of the object, as the request that opened the session gave it."""
    preconditions: Preconditions
    checksums: DeclaredChecksums
    size: int | None
    """Bytes that the sender announced; None: it announced no size."""
    time_created: str
    """RFC 3339."""
    generation: int | None = None
    """Of the object; None: the upload is not finished."""
    cancelled: bool = False


@dataclass(frozen=True)
class MultipartUpload:
    """A multipart upload of the XML API. Its parts are rows of their own."""

    id: str
    bucket: str
    name: str
    """Of the object that will be written."""
    settings: dict[str, Any]
    """Metadata of the object."""
    time_created: str
    """RFC 3339."""


@dataclass(frozen=True)
class Part:
    number: int
    """1 to 10,000."""
    blob: str
    """File of the bytes store."""
    size: int
    """Bytes."""
    crc32c: int
    md5: bytes
    last_modified: str
    """RFC 3339."""

    @property
    def etag(self) -> str:
        return f'"{self.md5.hex()}"'


def unused_upload_id(transaction: Transaction, ids: IdSource) -> str:
    while True:
        upload_id = ids.hex(48)
        used = transaction.execute(
            "SELECT 1 FROM resumable_uploads WHERE id = ?1 UNION SELECT 1 FROM multipart_uploads WHERE id = ?1",
            upload_id,
        )
        if used.fetchone() is None:
            return upload_id


def insert_resumable(transaction: Transaction, upload: ResumableUpload) -> None:
    checksums = [upload.checksums.crc32c, upload.checksums.md5.hex() if upload.checksums.md5 else None]
    transaction.execute(
        "INSERT INTO resumable_uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)",
        upload.id,
        upload.bucket,
        upload.name,
        upload.blob,
        json.dumps(upload.settings),
        json.dumps(asdict(upload.preconditions)),
        json.dumps(checksums),
        upload.size,
        upload.time_created,
    )


def find_resumable(transaction: Transaction, upload_id: str) -> ResumableUpload | None:
    row = transaction.execute("SELECT * FROM resumable_uploads WHERE id = ?", upload_id).fetchone()
    return None if row is None else _resumable(row)


def finish_resumable(transaction: Transaction, upload: ResumableUpload, generation: int) -> None:
    """Marks a session as finished. It is kept, so that a sender that lost the answer can ask again."""
    transaction.execute("UPDATE resumable_uploads SET generation = ? WHERE id = ?", generation, upload.id)


def cancel_resumable(transaction: Transaction, upload: ResumableUpload) -> None:
    transaction.execute("UPDATE resumable_uploads SET cancelled = 1 WHERE id = ?", upload.id)
    transaction.free([upload.blob])


def remove_resumable_before(transaction: Transaction, time: str) -> None:
    old = transaction.execute("SELECT blob FROM resumable_uploads WHERE time_created < ?", time)
    transaction.free([row["blob"] for row in old])
    transaction.execute("DELETE FROM resumable_uploads WHERE time_created < ?", time)


def insert_multipart(transaction: Transaction, upload: MultipartUpload) -> None:
    settings = json.dumps(upload.settings)
    values = (upload.id, upload.bucket, upload.name, settings, upload.time_created)
    transaction.execute("INSERT INTO multipart_uploads VALUES (?, ?, ?, ?, ?)", *values)


def find_multipart(transaction: Transaction, upload_id: str) -> MultipartUpload | None:
    row = transaction.execute("SELECT * FROM multipart_uploads WHERE id = ?", upload_id).fetchone()
    return None if row is None else _multipart(row)


def remove_multipart(transaction: Transaction, upload: MultipartUpload) -> None:
    transaction.free([part.blob for part in parts_of(transaction, upload)])
    transaction.execute("DELETE FROM multipart_uploads WHERE id = ?", upload.id)


def multiparts_in_order(
    transaction: Transaction, bucket: str, prefix: str, after: tuple[str, str], limit: int
) -> list[MultipartUpload]:
    """Uploads by object name, then upload id. `after`: the last upload of the previous page."""
    rows = transaction.execute(
        "SELECT * FROM multipart_uploads WHERE bucket = ? AND (name, id) > (?, ?) AND substr(name, 1, ?) = ?"
        " ORDER BY name, id LIMIT ?",
        bucket,
        *after,
        len(prefix),
        prefix,
        limit,
    )
    return [_multipart(row) for row in rows]


def save_part(transaction: Transaction, upload: MultipartUpload, part: Part) -> None:
    """Stores a part. A part that is sent again replaces the earlier one."""
    before = transaction.execute("SELECT blob FROM parts WHERE upload_id = ? AND number = ?", upload.id, part.number)
    transaction.free([row["blob"] for row in before])
    values = (upload.id, part.number, part.blob, part.size, part.crc32c, part.md5, part.last_modified)
    transaction.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", *values)


def parts_of(transaction: Transaction, upload: MultipartUpload, after: int = 0, limit: int = -1) -> list[Part]:
    rows: Iterable[sqlite3.Row] = transaction.execute(
        "SELECT number, blob, size, crc32c, md5, last_modified FROM parts"
        " WHERE upload_id = ? AND number > ? ORDER BY number LIMIT ?",
        upload.id,
        after,
        limit,
    )
    return [Part(**dict(row)) for row in rows]


def _resumable(row: sqlite3.Row) -> ResumableUpload:
    values = dict(row)
    crc32c, md5 = json.loads(values["checksums"])
    return ResumableUpload(
        **{
            **values,
            "settings": json.loads(values["settings"]),
            "preconditions": Preconditions(**json.loads(values["preconditions"])),
            "checksums": DeclaredChecksums(crc32c, bytes.fromhex(md5) if md5 else None),
            "cancelled": bool(values["cancelled"]),
        }
    )


def _multipart(row: sqlite3.Row) -> MultipartUpload:
    values = dict(row)
    return MultipartUpload(**{**values, "settings": json.loads(values["settings"])})
