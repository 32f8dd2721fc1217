"""Downloads of object bytes: whole, a range, or gunzipped; for the JSON API and the XML API."""

import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from localcloud.core.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range
from localcloud.services.storage import object_rows
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bytes_store import READ_SIZE
from localcloud.services.storage.checksums import encode_crc32c, encode_md5
from localcloud.services.storage.object_rows import Content, ObjectRow
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.resources import object_etag, object_state, xml_etag
from localcloud.services.storage.storage_access import ask_object
from localcloud.services.storage.storage_errors import invalid, range_not_satisfiable
from localcloud.services.storage.versions import existing_version
from localcloud.services.storage.xml_documents import PRIVATE

_SHOWN_SETTINGS = {
    "cacheControl": "cache-control",
    "contentDisposition": "content-disposition",
    "contentEncoding": "content-encoding",
    "contentLanguage": "content-language",
    "storageClass": "x-goog-storage-class",
}
# Recorded in 2021 by gcsfs: caches must not keep bytes from the JSON API.
_JSON_API_USUAL = {
    "cache-control": "no-cache, no-store, max-age=0, must-revalidate",
    "content-disposition": "attachment",
}
_XML_API_ONLY = frozenset({"accept-ranges", "last-modified", "x-goog-stored-content-length"})


@dataclass(frozen=True)
class Found:
    """A version of an object and its bytes, which stay on disk until `_release`."""

    row: ObjectRow
    content: Content


async def download(
    request: Request,
    backend: Backend,
    bucket_and_name: tuple[str, str],
    preconditions: Preconditions,
    *,
    json_api: bool,
) -> Response:
    """A download by the JSON API's `alt=media` or by the XML API. Raises StorageError (304, 404, 412)."""
    generation = _generation(request.query_params.get("generation"))
    found = await to_thread.run_sync(_hold, backend, *bucket_and_name, generation, preconditions)
    try:
        gunzip = _gunzips(request, found.row)
        part = None if gunzip else parse_range(request.headers.get("range"), found.row.size)
        return ObjectResponse(backend, found, part, gunzip, json_api)
    except RangeNotSatisfiable:
        _release(backend, found)
        error = range_not_satisfiable()
        return Response(error.xml(), error.status, {"Content-Range": f"bytes */{found.row.size}"}, "application/xml")


class ObjectResponse(StreamingResponse):
    """Sends the bytes while reading them, and releases them at the end, even after an error."""

    def __init__(self, backend: Backend, found: Found, part: ByteRange | None, gunzip: bool, json_api: bool) -> None:
        self._backend = backend
        self._found = found
        self._part = part or ByteRange(0, found.row.size)
        self._gunzip = gunzip
        headers = _json_api_headers(found.row) if json_api else _xml_api_headers(found.row)
        super().__init__(self._chunks(), 200 if part is None else 206, headers)
        if not json_api:
            tell_hashes(self, found.row.crc32c, found.row.md5)
        elif not part:
            # Recorded in 2021: one header has both checksums; Google's Python client finds MD5 only in this form.
            self.headers["x-goog-hash"] = ",".join(_hashes(found.row.crc32c, found.row.md5))
        if part is not None:
            self.headers["content-range"] = part.content_range(found.row.size)
        if gunzip:
            del self.headers["content-encoding"], self.headers["accept-ranges"]
        else:
            self.headers["content-length"] = str(self._part.length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            self._part = ByteRange(0, 0)
        try:
            await super().__call__(scope, receive, send)
        finally:
            _release(self._backend, self._found)

    async def _chunks(self) -> AsyncIterator[bytes]:
        gunzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if self._gunzip else None
        for blob, offset, length in reads(self._found.content, self._part):
            data = await to_thread.run_sync(self._backend.bytes.read, blob, offset, length)
            if len(data) != length:
                raise RuntimeError(f"{blob} in the bytes store is shorter than the metadata says")
            yield data if gunzip is None else gunzip.decompress(data)


def reads(content: Content, part: ByteRange) -> Iterator[tuple[str, int, int]]:
    """The reads that together give a range of an object, in order: (blob, offset, length), in bytes."""
    begin = 0
    for segment in content.segments:
        offset, stop = max(part.start - begin, 0), min(part.stop - begin, segment.size)
        while offset < stop:
            length = min(READ_SIZE, stop - offset)
            yield segment.blob, offset, length
            offset += length
        begin += segment.size


def object_headers(row: ObjectRow) -> dict[str, str]:
    """An object's metadata as response headers."""
    gzipped = row.settings.get("contentEncoding") == "gzip"
    headers = {
        "etag": f'"{xml_etag(row)}"',
        "last-modified": format_datetime(datetime.fromisoformat(row.updated), usegmt=True),
        "content-type": row.settings.get("contentType", "application/octet-stream"),
        "accept-ranges": "bytes",
        "x-goog-generation": str(row.generation),
        "x-goog-metageneration": str(row.metageneration),
        "x-goog-stored-content-encoding": "gzip" if gzipped else "identity",
        "x-goog-stored-content-length": str(row.size),
    }
    if row.component_count is not None:
        headers["x-goog-component-count"] = str(row.component_count)
    shown = {header: row.settings[field] for field, header in _SHOWN_SETTINGS.items() if field in row.settings}
    if shown.get("content-encoding") == "identity":
        # Recorded: the metadata keep this value, and no header has it.
        del shown["content-encoding"]
    custom = {f"x-goog-meta-{key}": value for key, value in row.settings.get("metadata", {}).items()}
    return headers | {name: _header_text(value) for name, value in (shown | custom).items()}


def _xml_api_headers(row: ObjectRow) -> dict[str, str]:
    return {"cache-control": PRIVATE, **object_headers(row)}


def _json_api_headers(row: ObjectRow) -> dict[str, str]:
    """Headers of `alt=media`, as recorded in 2021: the JSON API's ETag, without dates and storage headers.

    `x-goog-stored-content-encoding` stays for gzip: Google's .NET client reads it.
    """
    headers = {**_JSON_API_USUAL, **object_headers(row), "etag": object_etag(row)}
    if headers["x-goog-stored-content-encoding"] == "identity":
        del headers["x-goog-stored-content-encoding"]
    return {name: value for name, value in headers.items() if name not in _XML_API_ONLY}


def tell_hashes(response: Response, crc32c: int, md5: bytes | None) -> None:
    """Adds a header `x-goog-hash` for each checksum, as in the XML API."""
    for told in _hashes(crc32c, md5):
        response.headers.append("x-goog-hash", told)


def _hashes(crc32c: int, md5: bytes | None) -> list[str]:
    return [f"crc32c={encode_crc32c(crc32c)}", *([] if md5 is None else [f"md5={encode_md5(md5)}"])]


def _hold(backend: Backend, bucket: str, name: str, generation: int | None, preconditions: Preconditions) -> Found:
    with backend.database.transaction() as transaction:
        ask_object(backend.access, transaction, "objects.get", bucket, name)
        row = existing_version(transaction, bucket, name, generation)
        preconditions.check(object_state(row), reading=True)
        content = object_rows.content_of(transaction, row)
        backend.bytes.hold(segment.blob for segment in content.segments)
    return Found(row, content)


def _release(backend: Backend, found: Found) -> None:
    backend.bytes.release(segment.blob for segment in found.content.segments)


def _gunzips(request: Request, row: ObjectRow) -> bool:
    """Whether to decompress: cloud.google.com/storage/docs/transcoding."""
    encoded = row.settings.get("contentEncoding") == "gzip"
    untouched = "no-transform" in row.settings.get("cacheControl", "")
    return encoded and not untouched and "gzip" not in request.headers.get("accept-encoding", "")


def _generation(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit():
        raise invalid(f"Invalid value for generation: {text!r}")
    return int(text)


def _header_text(value: str) -> str:
    """UTF-8 bytes as Latin-1 text, because the server encodes headers as Latin-1; without line breaks."""
    return value.replace("\r", " ").replace("\n", " ").encode().decode("latin-1")
