"""Uploads in one request: media and multipart (cloud.google.com/storage/docs/json_api/v1/objects/insert)."""

import json
import re
from collections.abc import AsyncIterator
from email.message import Message
from typing import Any

from anyio import to_thread
from starlette.requests import Request

from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bytes_store import BytesWriter
from localcloud.services.storage.checksums import DeclaredChecksums, declared_in_headers, declared_in_resource
from localcloud.services.storage.name_rules import checked_object_name
from localcloud.services.storage.object_rows import Content, ObjectRow, Segment
from localcloud.services.storage.preconditions import Preconditions, in_query
from localcloud.services.storage.settings import object_settings
from localcloud.services.storage.storage_access import ask_object
from localcloud.services.storage.storage_errors import invalid, no_object_name
from localcloud.services.storage.streams import DelimitedReader, new_blob, write_all
from localcloud.services.storage.versions import create_version

_LONGEST_METADATA = 1 << 20


async def media_upload(request: Request, backend: Backend, bucket: str) -> ObjectRow:
    name = upload_name(request, {})
    settings = {"contentType": request.headers.get("content-type"), **query_settings(request)}
    checksums = declared_in_headers(request.headers)
    return await store(request.stream(), request, backend, (bucket, name), settings, checksums)


async def multipart_upload(request: Request, backend: Backend, bucket: str) -> ObjectRow:
    """The first part is the object's resource in JSON, the second its bytes."""
    boundary = _boundary(request)
    reader = DelimitedReader(aiter(request.stream()))
    await reader.before(b"--" + boundary, _LONGEST_METADATA)
    # gcloud ends lines with only \n, against RFC 2046, and the service accepts it.
    line_end, _ = await _part_headers(reader)
    part_end = line_end + b"--" + boundary
    resource = parse_resource(await reader.before(part_end, _LONGEST_METADATA))
    _, headers = await _part_headers(reader)
    settings = {"contentType": headers.get("content-type"), **query_settings(request), **resource}
    checksums = declared_in_resource(resource).or_else(declared_in_headers(request.headers))
    name = upload_name(request, resource)
    body = reader.stream_before(part_end)
    return await store(body, request, backend, (bucket, name), settings, checksums)


async def store(
    body: AsyncIterator[bytes],
    request: Request,
    backend: Backend,
    bucket_and_name: tuple[str, str],
    settings: dict[str, Any],
    checksums: DeclaredChecksums,
    preconditions: Preconditions | None = None,
) -> ObjectRow:
    """Writes the body to disk and, if all conditions hold, makes an object of it. Raises StorageError."""
    if preconditions is None:
        preconditions = in_query(request.query_params, request.headers)
    checked = object_settings(settings)
    await to_thread.run_sync(_ask, backend, *bucket_and_name)
    with new_blob(backend) as writer:
        await write_all(body, writer)
        return await to_thread.run_sync(
            create_object, backend, bucket_and_name, writer, checked, checksums, preconditions
        )


def _ask(backend: Backend, bucket: str, name: str) -> None:
    with backend.database.transaction() as transaction:
        ask_object(backend.access, transaction, "objects.insert", bucket, name)


def create_object(
    backend: Backend,
    bucket_and_name: tuple[str, str],
    writer: BytesWriter,
    settings: dict[str, Any],
    checksums: DeclaredChecksums,
    preconditions: Preconditions,
) -> ObjectRow:
    content = written_content(writer, checksums)
    with backend.database.transaction() as transaction:
        return create_version(transaction, backend, *bucket_and_name, content, settings, preconditions)


def written_content(writer: BytesWriter, checksums: DeclaredChecksums) -> Content:
    """The content in a written file. Raises StorageError (400) if its bytes differ from the declared checksums."""
    digest = writer.digest
    checksums.verify(digest.crc32c, digest.md5)
    return Content((Segment(writer.blob, digest.size),), digest.crc32c, digest.md5)


def upload_name(request: Request, resource: dict[str, Any]) -> str:
    name = request.query_params.get("name") or resource.get("name")
    if not name:
        raise no_object_name()
    return checked_object_name(str(name))


def query_settings(request: Request) -> dict[str, str]:
    encoding = request.query_params.get("contentEncoding")
    return {"contentEncoding": encoding} if encoding else {}


def parse_resource(body: bytes) -> dict[str, Any]:
    """The object's resource that was sent with an upload. Raises StorageError (400)."""
    try:
        resource = json.loads(body) if body.strip() else {}
    except ValueError:
        raise invalid("Parse Error: the metadata is not JSON.") from None
    if not isinstance(resource, dict):
        raise invalid("Parse Error: the metadata is not a JSON object.")
    return resource


def _boundary(request: Request) -> bytes:
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    boundary = header.get_boundary()
    if header.get_content_maintype() != "multipart" or not boundary:
        raise invalid("A multipart upload needs Content-Type: multipart/related; boundary=...")
    # gcloud quotes the boundary with ', which RFC 2045 counts as part of it, but omits the quotes in the body.
    return (boundary[1:-1] if re.fullmatch("'.+'", boundary) else boundary).encode()


async def _part_headers(reader: DelimitedReader) -> tuple[bytes, dict[str, str]]:
    """The line ending, and the headers of the part whose boundary was read last."""
    rest = await reader.before(b"\n", _LONGEST_METADATA)
    headers = {}
    while line := (await reader.before(b"\n", _LONGEST_METADATA)).rstrip(b"\r"):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return b"\r\n" if rest.endswith(b"\r") else b"\n", headers
