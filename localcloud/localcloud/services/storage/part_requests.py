"""Requests of multipart uploads: a record of each request with a part, which outlives upload and object."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.services.storage.backend import METADATA_FILE, Backend
from localcloud.services.storage.upload_rows import MultipartUpload


@dataclass(frozen=True)
class PartRequest:
    """`size` is in bytes, `stored` whether they became the part; times are RFC 3339, by the clock.

    Of a sender that hung up, the last 64 KiB may not be counted: the server throws away what nobody read yet.
    """

    upload_id: str
    number: int
    size: int
    stored: bool
    began: str
    ended: str


def part_requests(data_dir: Path, bucket: str, name: str) -> list[PartRequest]:
    """Those for an object of the server over `data_dir`, which may be running, in the order in which they ended."""
    columns = "upload_id, number, size, stored, began, ended"
    query = f"SELECT {columns} FROM part_requests WHERE bucket = ? AND name = ? ORDER BY id"
    with closing(sqlite3.connect(data_dir / METADATA_FILE)) as connection:
        rows = connection.execute(query, (bucket, name)).fetchall()
    return [PartRequest(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) for row in rows]


class PartBody:
    """A part's bytes on their way, counted."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.size = 0
        self.stored = False

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk


@contextmanager
def recorded(
    chunks: AsyncIterator[bytes], backend: Backend, upload: MultipartUpload, number: int
) -> Iterator[PartBody]:
    """Writes the record when the block ends, however it does."""
    body, began = PartBody(chunks), backend.time()
    try:
        yield body
    finally:
        values = (upload.bucket, upload.name, upload.id, number, body.size, body.stored, began, backend.time())
        with backend.database.transaction() as transaction:
            transaction.execute("INSERT INTO part_requests VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", *values)
