"""Resumable uploads (cloud.google.com/storage/docs/performing-resumable-uploads): a session, then its bytes in chunks.

A session keeps arriving bytes in whole blocks of 256 KiB; only the last chunk may end inside a block. An interrupted
sender, or a killed server, loses at most one block.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localcloud.core.callers import THE_CLOUD, calling_as
from localcloud.services.storage import object_rows, upload_rows
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bytes_store import BytesWriter
from localcloud.services.storage.checksums import DeclaredChecksums, declared_in_headers, declared_in_resource
from localcloud.services.storage.object_rows import ObjectRow
from localcloud.services.storage.preconditions import in_query
from localcloud.services.storage.resources import object_resource, object_state
from localcloud.services.storage.settings import object_settings
from localcloud.services.storage.storage_access import ask_object, object_subject, require
from localcloud.services.storage.storage_errors import StorageError, invalid, upload_cancelled, upload_not_found
from localcloud.services.storage.streams import FLUSH_SIZE, base_url, new_blob, read_body
from localcloud.services.storage.upload_rows import ResumableUpload
from localcloud.services.storage.uploads import parse_resource, query_settings, upload_name, written_content
from localcloud.services.storage.versions import create_version

BLOCK = 256 * 1024
_LONGEST_METADATA = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$")


@dataclass(frozen=True)
class Chunk:
    """The bytes of the object in a request: `first` to `stop` (excluded). `total`: None if not known yet."""

    first: int
    stop: int | None
    total: int | None

    @property
    def final(self) -> bool:
        return self.stop is None or self.stop == self.total

    @property
    def length(self) -> int | None:
        return None if self.stop is None else self.stop - self.first


class ResumableUploads:
    """The sessions of one server. An active session's file stays open between chunks, with its checksums so far."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._writers: dict[str, BytesWriter] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self, request: Request, bucket: str) -> Response:
        resource = parse_resource(await read_body(request, _LONGEST_METADATA))
        content_type = request.headers.get("x-upload-content-type")
        upload = ResumableUpload(
            id="",
            bucket=bucket,
            name=upload_name(request, resource),
            blob="",
            settings=object_settings({"contentType": content_type, **query_settings(request), **resource}),
            preconditions=in_query(request.query_params, request.headers),
            checksums=declared_in_resource(resource).or_else(declared_in_headers(request.headers)),
            size=_length(request.headers.get("x-upload-content-length")),
            time_created=self._backend.time(),
        )
        upload_id = await to_thread.run_sync(self._insert, upload)
        location = f"{base_url(request)}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
        return Response(headers={"Location": location, "X-GUploader-UploadID": upload_id})

    async def receive(self, request: Request, upload_id: str) -> Response:
        async with self._locks[upload_id]:
            upload = self._find(upload_id)
            if upload.generation is not None:
                return self._finished(request, upload)
            writer = await self._writer(upload)
            header = request.headers.get("content-range", "")
            if header.startswith("bytes */"):
                total = _parse_content_range(header).total
                complete = total is not None and total == writer.digest.size
            else:
                complete = await self._receive_chunk(request, upload, writer)
            if not complete:
                return _incomplete(writer.digest.size)
            row = await to_thread.run_sync(self._finish, upload, writer, declared_in_headers(request.headers))
            return JSONResponse(object_resource(row, base_url(request)))

    async def cancel(self, upload_id: str) -> Response:
        async with self._locks[upload_id]:
            upload = self._find(upload_id)
            if upload.generation is not None:
                raise upload_not_found()
            self._cancel(upload)
        raise upload_cancelled()

    async def _receive_chunk(self, request: Request, upload: ResumableUpload, writer: BytesWriter) -> bool:
        """Appends the request's bytes that are new. Returns whether the object is complete."""
        header = request.headers.get("content-range")
        chunk = _parse_content_range(header) if header else Chunk(0, None, None)
        persisted = writer.digest.size
        _check_chunk(chunk, upload, persisted, _length(request.headers.get("content-length")))
        received = await _append_blocks(request.stream(), writer, chunk)
        if chunk.length not in (None, received):
            raise invalid(f"The request holds {received} bytes, its Content-Range {chunk.length}.")
        return chunk.final

    def _insert(self, upload: ResumableUpload) -> str:
        with new_blob(self._backend) as writer, self._backend.database.transaction() as transaction:
            ask_object(self._backend.access, transaction, "objects.insert", upload.bucket, upload.name)
            live = object_rows.find_object(transaction, upload.bucket, upload.name)
            upload.preconditions.check(object_state(live))
            if live is not None:
                replaced = object_subject(transaction, upload.bucket, upload.name)
                require(self._backend.access, "storage.objects.delete", replaced)
            upload_id = upload_rows.unused_upload_id(transaction, self._backend.ids)
            upload_rows.insert_resumable(transaction, replace(upload, id=upload_id, blob=writer.blob))
        return upload_id

    def _find(self, upload_id: str) -> ResumableUpload:
        with self._backend.database.transaction() as transaction:
            upload = upload_rows.find_resumable(transaction, upload_id)
        if upload is None:
            self._locks.pop(upload_id, None)
            raise upload_not_found()
        if upload.cancelled:
            raise upload_cancelled()
        return upload

    async def _writer(self, upload: ResumableUpload) -> BytesWriter:
        if upload.id not in self._writers:
            self._writers[upload.id] = await to_thread.run_sync(self._backend.bytes.reopen, upload.blob, BLOCK)
        return self._writers[upload.id]

    def _finish(self, upload: ResumableUpload, writer: BytesWriter, checksums: DeclaredChecksums) -> ObjectRow:
        """Makes the object. An error also ends the session.

        Permissions are only checked at the start: the URI "acts as an authentication token" ("Resumable uploads").
        """
        try:
            content = written_content(writer, upload.checksums.or_else(checksums))
            with calling_as(THE_CLOUD), self._backend.database.transaction() as transaction:
                row = create_version(
                    transaction,
                    self._backend,
                    upload.bucket,
                    upload.name,
                    content,
                    upload.settings,
                    upload.preconditions,
                )
                upload_rows.finish_resumable(transaction, upload, row.generation)
        except StorageError:
            self._cancel(upload)
            raise
        self._close(upload)
        return row

    def _cancel(self, upload: ResumableUpload) -> None:
        self._close(upload)
        with self._backend.database.transaction() as transaction:
            upload_rows.cancel_resumable(transaction, upload)

    def _close(self, upload: ResumableUpload) -> None:
        self._locks.pop(upload.id, None)
        writer = self._writers.pop(upload.id, None)
        if writer is not None:
            writer.close()

    def _finished(self, request: Request, upload: ResumableUpload) -> Response:
        with self._backend.database.transaction() as transaction:
            row = object_rows.find_object(transaction, upload.bucket, upload.name, upload.generation)
        if row is None:
            raise upload_not_found()
        return JSONResponse(object_resource(row, base_url(request)))


async def _append_blocks(chunks: AsyncIterator[bytes], writer: BytesWriter, chunk: Chunk) -> int:
    """Writes a chunk's new bytes: whole blocks, and the rest at the object's end. Returns the bytes received."""
    skip, received, ended = writer.digest.size - chunk.first, 0, False
    rest = bytearray()
    try:
        async for data in chunks:
            already = min(max(skip - received, 0), len(data))
            received += len(data)
            rest += data[already:]
            if len(rest) >= FLUSH_SIZE:
                await to_thread.run_sync(writer.append, _take_blocks(rest))
        ended = chunk.length in (None, received)
    finally:
        writer.append(bytes(rest) if ended and chunk.final else _take_blocks(rest))
    return received


def _take_blocks(rest: bytearray) -> bytes:
    whole = len(rest) // BLOCK * BLOCK
    taken = bytes(rest[:whole])
    del rest[:whole]
    return taken


def _check_chunk(chunk: Chunk, upload: ResumableUpload, persisted: int, content_length: int | None) -> None:
    if chunk.first > persisted:
        raise invalid(
            f"Invalid request. According to the Content-Range header, the upload offset is {chunk.first} byte(s), "
            f"which exceeds already uploaded size of {persisted} byte(s)."
        )
    if None not in (chunk.total, upload.size) and chunk.total != upload.size:
        raise invalid(f"The upload was announced with {upload.size} bytes, and now has {chunk.total}.")
    length = chunk.length
    if length is None:
        return
    if content_length is not None and content_length != length:
        raise invalid(f"The request holds {content_length} bytes, its Content-Range {length}.")
    if not chunk.final and length < BLOCK:
        raise invalid(
            f"Invalid request. The number of bytes uploaded is required to be equal or greater than {BLOCK}, except "
            f"for the final request. The received request contained {length} bytes, which is too few."
        )


def _parse_content_range(header: str) -> Chunk:
    match = _CONTENT_RANGE.match(header)
    if match is None:
        raise invalid(f"Failed to parse Content-Range header: {header!r}")
    first, last, total = match.groups()
    size = None if total == "*" else int(total)
    if first is None:
        return Chunk(0, 0, size)
    if int(last) < int(first) or (size is not None and int(last) >= size):
        raise invalid(f"Invalid Content-Range header: {header!r}")
    return Chunk(int(first), int(last) + 1, size)


def _incomplete(persisted: int) -> Response:
    """The answer 308: the sender continues after `persisted` bytes."""
    return Response(status_code=308, headers={"Range": f"bytes=0-{persisted - 1}"} if persisted else {})


def _length(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
