"""Requests of the XML API to objects: GET, HEAD, PUT, DELETE and multipart uploads."""

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from localcloud.services.storage import xml_multipart
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.checksums import declared_in_headers
from localcloud.services.storage.downloads import download, object_headers, tell_hashes
from localcloud.services.storage.name_rules import checked_object_name
from localcloud.services.storage.preconditions import Preconditions, in_headers
from localcloud.services.storage.storage_access import ask_object
from localcloud.services.storage.storage_errors import invalid, not_implemented
from localcloud.services.storage.uploads import store
from localcloud.services.storage.versions import delete_version
from localcloud.services.storage.xml_settings import settings_in_headers

_NOT_HERE = ("x-goog-copy-source", "x-amz-copy-source", "x-goog-resumable")


async def serve(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    """Answers one request to a bucket (`name` "") or to an object. Raises StorageError."""
    for header in _NOT_HERE:
        if header in request.headers:
            raise not_implemented(f"the header {header} of the XML API")
    query = request.query_params
    if not name:
        if request.method == "GET" and "uploads" in query:
            return await xml_multipart.list_uploads(request, backend, bucket)
        raise not_implemented(f"{request.method} of a bucket in the XML API; use the JSON API")
    if "uploads" in query or "uploadId" in query:
        return await _multipart(request, backend, bucket, name)
    match request.method:
        case "GET" | "HEAD":
            conditions = in_headers(request.headers)
            return await download(request, backend, (bucket, name), conditions, json_api=False)
        case "PUT":
            return await _put(request, backend, bucket, name)
        case "DELETE":
            return await to_thread.run_sync(_delete, backend, bucket, name, request)
    raise not_implemented(f"{request.method} of an object in the XML API")


async def _multipart(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    match request.method, "uploads" in request.query_params:
        case "POST", True:
            return await xml_multipart.initiate(request, backend, bucket, name)
        case "PUT", False:
            return await xml_multipart.upload_part(request, backend, bucket, name)
        case "GET", False:
            return await xml_multipart.list_parts(request, backend, bucket, name)
        case "POST", False:
            return await xml_multipart.complete(request, backend, bucket, name)
        case "DELETE", False:
            return await xml_multipart.abort(request, backend, bucket, name)
    raise not_implemented(f"{request.method} of a multipart upload")


async def _put(request: Request, backend: Backend, bucket: str, name: str) -> Response:
    settings = settings_in_headers(request.headers)
    checksums = declared_in_headers(request.headers)
    names = (bucket, checked_object_name(name))
    row = await store(request.stream(), request, backend, names, settings, checksums, in_headers(request.headers))
    shown = ("etag", "x-goog-generation", "x-goog-metageneration", "x-goog-stored-content-length")
    response = Response(headers={header: object_headers(row)[header] for header in shown})
    tell_hashes(response, row.crc32c, row.md5)
    return response


def _delete(backend: Backend, bucket: str, name: str, request: Request) -> Response:
    generation = request.query_params.get("generation")
    if generation is not None and not generation.isdigit():
        raise invalid(f"Invalid value for generation: {generation!r}")
    conditions: Preconditions = in_headers(request.headers)
    with backend.database.transaction() as transaction:
        ask_object(backend.access, transaction, "objects.delete", bucket, name)
        version = int(generation) if generation else None
        delete_version(transaction, backend, bucket, name, version, conditions)
    return Response(status_code=204)
