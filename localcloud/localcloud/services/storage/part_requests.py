"""A record of each request with a part of a multipart upload, kept after the end of the upload and the object."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.services.storage.backend import METADATA_FILE, Backend
from localcloud.services.storage.upload_rows import MultipartUpload


@dataclass(frozen=True)
class PartRequest:
    """A request with a part. `size`: bytes; `stored`: whether they became the part; times are RFC 3339, by the clock.

    After a sender hung up, `size` may lack the last 64 KiB: the server discards bytes that were not read yet.
    """

    upload_id: str
    number: int
    size: int
    stored: bool
    began: str
    ended: str


def part_requests(data_dir: Path, bucket: str, name: str) -> list[PartRequest]:
    """The requests for an object, in the order of their ends. `data_dir`: of a server, which may be running."""
    columns = "upload_id, number, size, stored, began, ended"
    query = f"SELECT {columns} FROM part_requests WHERE bucket = ? AND name = ? ORDER BY id"
    with closing(sqlite3.connect(data_dir / METADATA_FILE)) as connection:
        rows = connection.execute(query, (bucket, name)).fetchall()
    return [PartRequest(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) for row in rows]


class PartBody:
    """Counts a part's bytes while they arrive."""

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
    """Writes the record when the `with` block ends, also after an error."""
    body, began = PartBody(chunks), backend.time()
    try:
        yield body
    finally:
        values = (upload.bucket, upload.name, upload.id, number, body.size, body.stored, began, backend.time())
        with backend.database.transaction() as transaction:
            transaction.execute("INSERT INTO part_requests VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", *values)
