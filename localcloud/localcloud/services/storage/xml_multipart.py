"""Multipart uploads of the XML API (cloud.google.com/storage/docs/multipart-uploads)."""

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from localcloud.services.storage import upload_rows
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bytes_store import BytesWriter
from localcloud.services.storage.checksums import combine_crc32c, declared_in_headers
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.downloads import tell_hashes
from localcloud.services.storage.name_rules import checked_object_name
from localcloud.services.storage.object_rows import Content, ObjectRow, Segment
from localcloud.services.storage.part_requests import recorded
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.resources import xml_etag
from localcloud.services.storage.settings import object_settings
from localcloud.services.storage.storage_access import ask_object
from localcloud.services.storage.storage_errors import StorageError, invalid, not_implemented, upload_not_found
from localcloud.services.storage.streams import base_url, new_blob, read_body, write_all
from localcloud.services.storage.upload_rows import MultipartUpload, Part
from localcloud.services.storage.uploads import written_content
from localcloud.services.storage.versions import create_version
from localcloud.services.storage.xml_documents import Fields, document, parse_parts
from localcloud.services.storage.xml_settings import settings_in_headers

# cloud.google.com/storage/quotas#requests: parts of an XML API multipart upload.
MOST_PARTS = 10_000
SMALLEST_PART = 5 << 20
_LARGEST_PART = 5 << 30
_LONGEST_PARTS_LIST = 4 << 20
_LONGEST_PAGE = 1000


async def initiate(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    settings = object_settings(settings_in_headers(request.headers))
    upload = await to_thread.run_sync(_start, backend, bucket, checked_object_name(name), settings)
    fields = [("Bucket", bucket), ("Key", name), ("UploadId", upload.id)]
    return document("InitiateMultipartUploadResult", fields)


async def upload_part(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    number = _number(request, "partNumber", 0)
    if not 1 <= number <= MOST_PARTS:
        raise invalid(f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive.")
    if int(request.headers.get("content-length", 0)) > _LARGEST_PART:
        raise StorageError(400, "invalid", f"A part has at most {_LARGEST_PART} bytes.", "EntityTooLarge")
    upload = await to_thread.run_sync(_find, backend, request, bucket, name)
    checksums = declared_in_headers(request.headers)
    with recorded(request.stream(), backend, upload, number) as body, new_blob(backend) as writer:
        await write_all(body.chunks(), writer)
        written_content(writer, checksums)
        part = await to_thread.run_sync(_save_part, backend, upload, number, writer)
        body.stored = True
    response = Response(headers={"ETag": part.etag})
    tell_hashes(response, part.crc32c, part.md5)
    return response


async def complete(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    """Joins the parts without copying their bytes."""
    upload = await to_thread.run_sync(_find, backend, request, bucket, name)
    listed = parse_parts(await read_body(request, _LONGEST_PARTS_LIST))
    row = await to_thread.run_sync(_finish, backend, upload, listed)
    fields = [
        ("Location", f"{base_url(request)}/{bucket}/{name}"),
        ("Bucket", bucket),
        ("Key", name),
        ("ETag", f'"{xml_etag(row)}"'),
    ]
    response = document("CompleteMultipartUploadResult", fields, {"x-goog-generation": str(row.generation)})
    tell_hashes(response, row.crc32c, None)
    return response


async def abort(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    upload = await to_thread.run_sync(_find, backend, request, bucket, name, "multipartUploads.abort")
    with backend.database.transaction() as transaction:
        upload_rows.remove_multipart(transaction, upload)
    return Response(status_code=204)


async def list_parts(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    upload = await to_thread.run_sync(_find, backend, request, bucket, name, "multipartUploads.listParts")
    size = _page_size(request, "max-parts")
    after = _number(request, "part-number-marker", 0)
    with backend.database.transaction() as transaction:
        parts = upload_rows.parts_of(transaction, upload, after, size + 1)
    page = parts[:size]
    fields: Fields = [
        ("Bucket", bucket),
        ("Key", name),
        ("UploadId", upload.id),
        ("StorageClass", upload.settings.get("storageClass", "STANDARD")),
        ("PartNumberMarker", after),
        *([("NextPartNumberMarker", page[-1].number)] if len(parts) > size else []),
        ("MaxParts", size),
        ("IsTruncated", str(len(parts) > size).lower()),
        *(("Part", _part_fields(part)) for part in page),
    ]
    return document("ListPartsResult", fields)


async def list_uploads(request: Request, backend: Backend, bucket: str) -> Response:
    query = request.query_params
    if "delimiter" in query:
        raise not_implemented("a delimiter in lists of multipart uploads")
    size = _page_size(request, "max-uploads")
    prefix = query.get("prefix", "")
    after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
    with backend.database.transaction() as transaction:
        ask_object(backend.access, transaction, "multipartUploads.list", bucket)
        uploads = upload_rows.multiparts_in_order(transaction, bucket, prefix, after, size + 1)
    page = uploads[:size]
    following = [("NextKeyMarker", page[-1].name), ("NextUploadIdMarker", page[-1].id)] if len(uploads) > size else []
    fields: Fields = [
        ("Bucket", bucket),
        ("Prefix", prefix),
        ("KeyMarker", after[0]),
        ("UploadIdMarker", after[1]),
        *following,
        ("MaxUploads", size),
        ("IsTruncated", str(len(uploads) > size).lower()),
        *(("Upload", _upload_fields(upload)) for upload in page),
    ]
    return document("ListMultipartUploadsResult", fields)


def _start(backend: Backend, bucket: str, name: str, settings: dict[str, str]) -> MultipartUpload:
    with backend.database.transaction() as transaction:
        ask_object(backend.access, transaction, "multipartUploads.create", bucket, name)
        upload_id = upload_rows.unused_upload_id(transaction, backend.ids)
        upload = MultipartUpload(upload_id, bucket, name, settings, backend.time())
        upload_rows.insert_multipart(transaction, upload)
    return upload


def _find(
    backend: Backend, request: Request, bucket: str, name: str, method: str = "multipartUploads.create"
) -> MultipartUpload:
    """The upload of a request. `method`: the name in permissions.yaml that the caller needs. Raises StorageError."""
    with backend.database.transaction() as transaction:
        ask_object(backend.access, transaction, method, bucket, name)
        return _existing(transaction, request.query_params["uploadId"], bucket, name)


def _existing(transaction: Transaction, upload_id: str, bucket: str, name: str) -> MultipartUpload:
    upload = upload_rows.find_multipart(transaction, upload_id)
    if upload is None or (upload.bucket, upload.name) != (bucket, name):
        raise upload_not_found()
    return upload


def _save_part(backend: Backend, upload: MultipartUpload, number: int, writer: BytesWriter) -> Part:
    digest = writer.digest
    part = Part(number, writer.blob, digest.size, digest.crc32c, digest.md5, backend.time())
    with backend.database.transaction() as transaction:
        # The upload may have ended while the part arrived.
        _existing(transaction, upload.id, upload.bucket, upload.name)
        upload_rows.save_part(transaction, upload, part)
    return part


def _finish(backend: Backend, upload: MultipartUpload, listed: list[tuple[int, str]]) -> ObjectRow:
    with backend.database.transaction() as transaction:
        _existing(transaction, upload.id, upload.bucket, upload.name)
        sent = {part.number: part for part in upload_rows.parts_of(transaction, upload)}
        content = _joined(_chosen(sent, listed))
        names = (upload.bucket, upload.name)
        row = create_version(transaction, backend, *names, content, upload.settings, Preconditions())
        upload_rows.remove_multipart(transaction, upload)
    return row


def _chosen(sent: dict[int, Part], listed: list[tuple[int, str]]) -> list[Part]:
    """The parts that the sender lists. Raises StorageError (400) for an invalid list."""
    numbers = [number for number, _ in listed]
    if numbers != sorted(set(numbers)):
        raise invalid("The list of parts was not in ascending order.", "InvalidPartOrder")
    for number, etag in listed:
        if number not in sent or sent[number].etag.strip('"') != etag:
            message = f"Part {number} could not be found. It may not have been uploaded, or its ETag is another."
            raise invalid(message, "InvalidPart")
    chosen = [sent[number] for number in numbers]
    for part in chosen[:-1]:
        if part.size < SMALLEST_PART:
            message = f"Part {part.number} has {part.size} bytes; all parts but the last need {SMALLEST_PART}."
            raise invalid(message, "EntityTooSmall")
    return chosen


def _joined(parts: list[Part]) -> Content:
    crc32c = 0
    for part in parts:
        crc32c = combine_crc32c(crc32c, part.crc32c, part.size)
    return Content(tuple(Segment(part.blob, part.size) for part in parts), crc32c)


def _part_fields(part: Part) -> Fields:
    numbered = (("PartNumber", part.number), ("LastModified", part.last_modified))
    return [*numbered, ("ETag", part.etag), ("Size", part.size)]


def _upload_fields(upload: MultipartUpload) -> Fields:
    storage_class = upload.settings.get("storageClass", "STANDARD")
    named = [("Key", upload.name), ("UploadId", upload.id)]
    return [*named, ("StorageClass", storage_class), ("Initiated", upload.time_created)]


def _page_size(request: Request, parameter: str) -> int:
    return min(_number(request, parameter, _LONGEST_PAGE), _LONGEST_PAGE)


def _number(request: Request, parameter: str, default: int) -> int:
    text = request.query_params.get(parameter, str(default))
    if not text.isdigit():
        raise invalid(f"Invalid value for {parameter}: {text!r} is not a whole number.")
    return int(text)
