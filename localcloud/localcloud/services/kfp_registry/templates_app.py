"""`REGION-kfp.pkg.dev`: the host that stores pipeline templates and returns them.

Other requests of `kfp.registry.RegistryClient` go to Artifact Registry's API.
"""

import hashlib
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP

import yaml
from google.cloud.artifactregistry_v1.types import Repository
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import calling_as
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.method_permissions import require
from localcloud.services.artifact_registry.packages import CONTENTS, TAGS, put_version
from localcloud.services.artifact_registry.repositories import repository_of

_FORMAT = Repository.Format.KFP


def create_app(cloud: Cloud) -> Starlette:
    async def upload(request: Request) -> Response:
        caller = cloud.check_token(request.headers.get("authorization", ""))
        parts = _parts(request.headers.get("content-type", ""), await request.body())
        tags = [tag for tag in parts.get("tags", b"").decode().split(",") if tag]
        with calling_as(caller):
            answer = await run_in_threadpool(_upload, cloud, _repository(request), parts.get("content", b""), tags)
        return PlainTextResponse(answer)

    async def download(request: Request) -> Response:
        package, reference = request.path_params["package"], request.path_params["reference"]
        with calling_as(cloud.check_token(request.headers.get("authorization", ""))):
            content = await run_in_threadpool(_download, cloud, _repository(request), package, reference)
        return Response(content, media_type="application/yaml")

    return Starlette(
        routes=[
            Route("/{project}/{repository}", upload, methods=["POST"]),
            Route("/{project}/{repository}/{package}/{reference}", download, methods=["GET"]),
        ],
        exception_handlers={ApiError: _refuse},
    )


def _repository(request: Request) -> str:
    region = request.headers["host"].partition("-kfp.pkg.dev")[0]
    project, repository = request.path_params["project"], request.path_params["repository"]
    return f"projects/{project}/locations/{region}/repositories/{repository}"


def _upload(cloud: Cloud, repository: str, content: bytes, tags: list[str]) -> str:
    """Stores a template; returns `PACKAGE/sha256:DIGEST`, with the pipeline's name and the content's digest."""
    require(cloud, "kfp-registry/upload", repository)
    found = repository_of(cloud, repository)
    if found.format_ != _FORMAT:
        raise ApiError("FAILED_PRECONDITION", f"The repository {found.name} is not of format KFP.")
    package = _pipeline_name(content)
    version = f"sha256:{hashlib.sha256(content).hexdigest()}"
    put_version(cloud, f"{found.name}/packages/{package}", version, tags, content)
    return f"{package}/{version}"


def _download(cloud: Cloud, repository: str, package: str, reference: str) -> bytes:
    require(cloud, "kfp-registry/download", repository)
    found = repository_of(cloud, repository)
    name = f"{found.name}/packages/{package}"
    version = f"{name}/versions/{reference}"
    if not reference.startswith("sha256:"):
        tag = cloud.store.get(TAGS, f"{name}/tags/{reference}")
        version = tag.version if tag else ""
    content = cloud.store.get(CONTENTS, version)
    if content is None:
        raise ApiError("NOT_FOUND", f"{name} has no version or tag {reference}.")
    return bytes(content.value)


def _pipeline_name(content: bytes) -> str:
    try:
        spec = yaml.safe_load(content)
        name = spec["pipelineInfo"]["name"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ApiError("INVALID_ARGUMENT", f"The content is not a compiled pipeline: {error!r}.") from None
    return str(name)


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a `multipart/form-data` body, by name. Raises ApiError INVALID_ARGUMENT."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    if not form.is_multipart():
        raise ApiError("INVALID_ARGUMENT", "An upload is a multipart/form-data body with a part named content.")
    parts: dict[str, bytes] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        parts[str(name)] = _content(part)
    return parts


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
