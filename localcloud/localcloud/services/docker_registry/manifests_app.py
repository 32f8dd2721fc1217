"""`REGION-docker.pkg.dev` and `gcr.io`: the digest of an image's tag, by OCI's distribution specification.

`HEAD /v2/NAME/manifests/REFERENCE`, of a tag or a digest, with a Bearer token of Google's is answered. Pulls, pushes,
catalogues and callers without a token are refused by name: no image has layers here.
"""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import calling_as
from localcloud.core.cloud import Cloud
from localcloud.services.docker_registry.tag_digests import digest_of

_INDEX = "application/vnd.oci.image.index.v1+json"
# OCI Distribution Specification 1.1, "Error Codes".
_CODES = {"UNAUTHENTICATED": "UNAUTHORIZED", "PERMISSION_DENIED": "DENIED", "NOT_FOUND": "MANIFEST_UNKNOWN"}


def create_app(cloud: Cloud) -> Starlette:
    async def manifest(request: Request) -> Response:
        caller = cloud.check_token(request.headers.get("authorization", ""))
        if request.method != "HEAD":
            raise ApiError("UNIMPLEMENTED", "The local cloud has no layers of images: it answers HEAD alone.")
        name = f"{request.headers['host'].partition(':')[0]}/{request.path_params['name']}"
        with calling_as(caller):
            digest = await run_in_threadpool(digest_of, cloud, name, request.path_params["reference"])
        return Response(headers={"Docker-Content-Digest": digest}, media_type=_INDEX)

    async def unknown(request: Request) -> Response:
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {request.method} {request.url.path}.")

    return Starlette(
        routes=[
            Route("/v2/{name:path}/manifests/{reference}", manifest, methods=["GET", "HEAD"]),
            Route("/{rest:path}", unknown, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        exception_handlers={ApiError: _refuse},
    )


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    code = _CODES.get(error.code, "UNSUPPORTED")
    answer = {"errors": [{"code": code, "message": error.message}]}
    return JSONResponse(answer, status_code=error.http_status)
