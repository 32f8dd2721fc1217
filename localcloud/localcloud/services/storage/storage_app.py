"""Cloud Storage as an ASGI application: its routes, and the form of its refusals."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from localcloud.core.callers import calling_as
from localcloud.core.lifespan import live
from localcloud.services.storage import bucket_policies, json_operations, xml_objects
from localcloud.services.storage.backend import Backend, open_backend
from localcloud.services.storage.batch import LONGEST_BATCH, run_batch
from localcloud.services.storage.bytes_store import IdSource
from localcloud.services.storage.calls import Call
from localcloud.services.storage.downloads import download
from localcloud.services.storage.json_operations import decode_name, path_pattern
from localcloud.services.storage.preconditions import in_query
from localcloud.services.storage.resources import object_resource
from localcloud.services.storage.resumable import ResumableUploads
from localcloud.services.storage.storage_access import Access
from localcloud.services.storage.storage_errors import StorageError, invalid, not_implemented
from localcloud.services.storage.streams import RequestBody, base_url, read_body
from localcloud.services.storage.uploads import media_upload, multipart_upload
from localcloud.services.storage.xml_documents import PRIVATE, error_document

_LONGEST_RESOURCE = 10 << 20
_UPLOAD = path_pattern("(?:/resumable)?/upload/storage/v1/b/{bucket}/o")
_MEDIA = path_pattern("(?P<download>/download)?/storage/v1/b/{bucket}/o/{object}")
_BATCH = path_pattern("/batch(?:/storage/v1)?")
_JSON_PREFIXES = ("/storage/v1/", "/download/storage/", "/upload/storage/", "/resumable/upload/storage/", "/batch")
_XML_HOST_SUFFIX = ".storage.googleapis.com"


def create_app(
    data_dir: Path,
    *,
    project_number: Callable[[str], int],
    clock: Callable[[], datetime],
    ids: IdSource,
    access: Access | None = None,
) -> "StorageApp":
    """Cloud Storage with its data in `data_dir`, which it creates and no other process may use.

    `clock` gives aware times in UTC; `ids` names files and uploads, as `localcloud.core.ids.Ids` does; `access`
    decides permissions; without it, every request is allowed.
    """
    return StorageApp(open_backend(data_dir, project_number, clock, ids, access))


class StorageApp:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._resumable = ResumableUploads(backend)

    def close(self) -> None:
        self._backend.database.close()

    def rename_member(self, old: str, new: str) -> None:
        """Renames a member in the policies of all buckets."""
        bucket_policies.rename_member(self._backend, old, new)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, self.close)
            return
        body = RequestBody(receive)
        request = Request(scope, body.receive)
        path = _raw_path(scope)
        try:
            with calling_as(self._backend.access.authenticate(request.headers.get("authorization", ""))):
                response = await self._answer(request, path)
        except StorageError as error:
            response = refusal(error, request)
        except ClientDisconnect:
            return
        await body.drain()
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        if "x-goog-encryption-key" in request.headers:
            raise not_implemented("customer-supplied encryption keys")
        for place, name in ((request.query_params, "kmsKeyName"), (request.query_params, "destinationKmsKeyName"),
                            (request.headers, "x-goog-encryption-kms-key-name")):  # fmt: skip
            if place.get(name):
                raise not_implemented(f"encryption by keys of Cloud KMS ({name})")
        if bucket := _bucket_of_host(request):
            return await xml_objects.serve(request, self._backend, bucket, decode_name(path.removeprefix("/")))
        if not path.startswith(_JSON_PREFIXES):
            bucket, _, name = path.removeprefix("/").partition("/")
            return await xml_objects.serve(request, self._backend, decode_name(bucket), decode_name(name))
        return await self._answer_json(request, path)

    async def _answer_json(self, request: Request, path: str) -> Response:
        if match := _UPLOAD.match(path):
            return await self._upload(request, decode_name(match["bucket"]))
        if request.method == "POST" and _BATCH.match(path):
            body = await read_body(request, LONGEST_BATCH)
            content_type = request.headers.get("content-type", "")
            answer = await to_thread.run_sync(run_batch, content_type, body, base_url(request), self._backend)
            return Response(answer.body, media_type=answer.content_type)
        match = _MEDIA.match(path)
        if match and request.method in ("GET", "HEAD") and (match["download"] or _wants_media(request)):
            names = (decode_name(match["bucket"]), decode_name(match["object"]))
            conditions = in_query(request.query_params, request.headers)
            return await download(request, self._backend, names, conditions, json_api=True)
        return await self._run_operation(request, path)

    async def _run_operation(self, request: Request, path: str) -> Response:
        body = await read_body(request, _LONGEST_RESOURCE)
        call = Call(request.method, path, request.query_params, request.headers, body, base_url(request), {})
        reply = await to_thread.run_sync(json_operations.run, call, self._backend)
        if reply.resource is None:
            return Response(status_code=reply.status)
        return JSONResponse(reply.resource, reply.status)

    async def _upload(self, request: Request, bucket: str) -> Response:
        upload_id = request.query_params.get("upload_id")
        match request.method, request.query_params.get("uploadType"):
            case (("PUT" | "POST"), _) if upload_id:
                return await self._resumable.receive(request, upload_id)
            case "DELETE", _ if upload_id:
                return await self._resumable.cancel(upload_id)
            case "POST", "resumable":
                return await self._resumable.start(request, bucket)
            case "POST", "media":
                row = await media_upload(request, self._backend, bucket)
            case "POST", "multipart":
                row = await multipart_upload(request, self._backend, bucket)
            case _, upload_type:
                raise invalid(f"Invalid upload: {request.method} with uploadType {upload_type!r}.")
        return JSONResponse(object_resource(row, base_url(request)))


def _raw_path(scope: Scope) -> str:
    """The path before decoding, because names in it may contain encoded slashes."""
    raw = scope.get("raw_path")
    return raw.partition(b"?")[0].decode("ascii", "replace") if raw else quote(scope["path"])


def _bucket_of_host(request: Request) -> str:
    host = request.headers.get("host", "").partition(":")[0]
    return host.removesuffix(_XML_HOST_SUFFIX) if host.endswith(_XML_HOST_SUFFIX) else ""


def _wants_media(request: Request) -> bool:
    return request.query_params.get("alt") == "media"


def refusal(error: StorageError, request: Request) -> Response:
    """The answer to a refused request: in JSON, XML or plain text, depending on the request."""
    path = _raw_path(request.scope)
    if _bucket_of_host(request) or not path.startswith(_JSON_PREFIXES):
        return error_document(error)
    if error.status == 304:
        return Response(status_code=304)
    if request.method == "GET" and _wants_media(request) and _MEDIA.match(path):
        # A request for bytes gets the message as text, not as a JSON document.
        return Response(error.message, error.status, {"cache-control": PRIVATE}, "text/html; charset=UTF-8")
    return Response(error.json(), error.status, media_type=error.json_type)
