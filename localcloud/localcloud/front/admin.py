"""Administration that no Google API offers: quotas, denials, faults, clock, local Hub. HTTP on loopback only."""

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from localcloud.core import regions
from localcloud.core.api_errors import ApiError
from localcloud.core.callers import OWNER, email_of, member_of
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import decisions
from localcloud.core.permissions.accounts import exists
from localcloud.faults import Faults
from localcloud.front.doors import only_with_key
from localcloud.front.overview import overview
from localcloud.services.artifact_registry.packages import put_version
from localcloud.services.artifact_registry.repositories import repository_of
from localcloud.services.cloud_build.builds import hold
from localcloud.services.cloud_quotas.quotas import set_quota_limit
from localcloud.services.hub import add_repo, add_token
from localcloud.services.pipelines import kfp_api
from localcloud.services.storage import part_requests

Fields = dict[str, Any]


def create_app(cloud: Cloud, faults: Faults) -> ASGIApp:
    """The application. It requires the state folder's key; Kubeflow Pipelines also takes it in its address."""

    async def status(request: Request) -> Response:
        fixed = {"project": cloud.project, "region": cloud.region, "state_dir": str(cloud.state_dir)}
        held = await run_in_threadpool(overview, cloud)
        return JSONResponse({"pid": os.getpid(), **fixed, **held})

    app = Starlette(
        routes=[
            Route("/_local/status", status, methods=["GET"]),
            Route("/_local/quotas", _put(_QUOTA, lambda fields: _set_quota(cloud, fields)), methods=["PUT"]),
            Route("/_local/denials", _put(_DENIAL, lambda fields: _set_denial(cloud, fields)), methods=["PUT"]),
            Route("/_local/user", _put(_USER, lambda fields: _set_user(cloud, fields)), methods=["PUT"]),
            Route("/_local/credentials", _credentials(cloud), methods=["GET"]),
            Route("/_local/regions", _put(_REGION, lambda fields: _close_region(cloud, fields)), methods=["PUT"]),
            Route("/_local/grace", _put(_GRACE, lambda fields: _set_grace(cloud, fields)), methods=["PUT"]),
            Route("/_local/images", _put(_IMAGE, lambda fields: _put_image(cloud, fields)), methods=["PUT"]),
            Route("/_local/builds", _put(_BUILDS, lambda fields: hold(cloud, fields["held"])), methods=["PUT"]),
            Route("/_local/clock", _put(_CLOCK, lambda fields: _advance(cloud, fields)), methods=["PUT"]),
            Route("/_local/hub/repos", _put(_REPO, lambda fields: _put_repo(cloud, fields)), methods=["PUT"]),
            Route("/_local/hub/tokens", _put(_TOKEN, lambda fields: _put_token(cloud, fields)), methods=["PUT"]),
            Route("/_local/storage/parts", _part_requests(cloud), methods=["GET"]),
            Route("/_local/faults", _faults(faults), methods=["GET", "PUT", "DELETE"]),
            # Kubeflow Pipelines is not Google's, and has another address in every cluster.
            Mount("/kfp", kfp_api.create_app(cloud)),
        ],
        exception_handlers={ApiError: _refuse},
    )
    return only_with_key(app, cloud.key(), {"/_local": False, "/kfp": True})


_QUOTA: dict[str, type] = {"project": str, "quota_id": str, "region": str, "limit": int}
_DENIAL: dict[str, type] = {"permission": str, "resource": str, "denied": bool}
_REGION: dict[str, type] = {"region": str, "closed": bool}
_GRACE: dict[str, type] = {"seconds": int}
_USER: dict[str, type] = {"member": str}
_IMAGE: dict[str, type] = {"repository": str, "image": str, "tag": str, "digest": str}
_BUILDS: dict[str, type] = {"held": bool}
_CLOCK: dict[str, type] = {"advance_seconds": int}
_REPO: dict[str, type] = {"id": str, "path": str, "gated": bool}
_TOKEN: dict[str, type] = {"sha256": str, "user": str, "granted": list}


def _set_quota(cloud: Cloud, fields: Fields) -> None:
    set_quota_limit(cloud, fields["project"], fields["region"], fields["quota_id"], fields["limit"])


def _set_denial(cloud: Cloud, fields: Fields) -> None:
    decisions.deny(cloud, fields["permission"], fields["resource"], denied=fields["denied"])


def _close_region(cloud: Cloud, fields: Fields) -> None:
    regions.close(cloud, fields["region"], closed=fields["closed"])


def _set_grace(cloud: Cloud, fields: Fields) -> None:
    """Sets the grace of pipeline jobs created from now on."""
    if fields["seconds"] < 0:
        raise ApiError("INVALID_ARGUMENT", f"The grace has at least 0 s, not {fields['seconds']}.")
    cloud.grace_seconds = float(fields["seconds"])


def _set_user(cloud: Cloud, fields: Fields) -> None:
    """Sets the account of clients that name none; "" is the owner."""
    cloud.switch_user(_member(cloud, fields["member"]) if fields["member"] else OWNER)


def _member(cloud: Cloud, name: str) -> str:
    """Of an email address, or of a member. Raises ApiError NOT_FOUND for a service account that does not exist."""
    member = member_of(name)
    if member.startswith("serviceAccount:") and not exists(cloud, email_of(member)):
        raise ApiError("NOT_FOUND", f"Service account {email_of(member)} does not exist.")
    return member


def _credentials(cloud: Cloud) -> Callable[[Request], Awaitable[Response]]:
    """The tokens of `?member=…`, and the environment that brings a client here as that member."""

    async def answer(request: Request) -> Response:
        member = await run_in_threadpool(_member, cloud, request.query_params.get("member", ""))
        return JSONResponse(
            {
                "access_token": cloud.token_of(member or cloud.user),
                "refresh_token": cloud.refresh_token_of(member or cloud.user),
                "environment": cloud.environment(member),
            }
        )

    return answer


def _put_image(cloud: Cloud, fields: Fields) -> None:
    """An image that somebody pushed, as Artifact Registry knows it afterwards."""
    repository = repository_of(cloud, fields["repository"]).name
    package = f"{repository}/packages/{fields['image'].replace('/', '%2F')}"
    put_version(cloud, package, fields["digest"], [fields["tag"]])


def _advance(cloud: Cloud, fields: Fields) -> None:
    try:
        cloud.clock.advance(fields["advance_seconds"])
    except ValueError as error:
        raise ApiError("INVALID_ARGUMENT", str(error)) from None


def _put_repo(cloud: Cloud, fields: Fields) -> None:
    try:
        add_repo(cloud.state.hub, fields["id"], Path(fields["path"]), fields["gated"])
    except ValueError as error:
        raise ApiError("INVALID_ARGUMENT", str(error)) from None


def _put_token(cloud: Cloud, fields: Fields) -> None:
    try:
        add_token(cloud.state.hub, fields["sha256"], fields["user"], fields["granted"])
    except ValueError as error:
        raise ApiError("INVALID_ARGUMENT", str(error)) from None


def _put(types: dict[str, type], act: Callable[[Fields], None]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        fields = _read(await request.body(), types)
        await run_in_threadpool(act, fields)
        return JSONResponse({})

    return answer


def _part_requests(cloud: Cloud) -> Callable[[Request], Awaitable[Response]]:
    """Requests with parts for the object `?bucket=…&object=…`."""

    async def answer(request: Request) -> Response:
        names = (request.query_params.get("bucket", ""), request.query_params.get("object", ""))
        parts = await run_in_threadpool(part_requests, cloud.state.storage, *names)
        return JSONResponse({"parts": [asdict(part) for part in parts]})

    return answer


def _faults(faults: Faults) -> Callable[[Request], Awaitable[Response]]:
    """PUT adds a fault and returns its id, GET lists faults, DELETE removes all."""

    async def answer(request: Request) -> Response:
        match request.method:
            case "PUT":
                return JSONResponse({"id": faults.post(_json(await request.body()))})
            case "DELETE":
                faults.clear()
        return JSONResponse({"faults": faults.list()})

    return answer


def _read(body: bytes, types: dict[str, type]) -> Fields:
    """Exactly the fields of `types`. Raises ApiError INVALID_ARGUMENT."""
    fields = _json(body)
    if not isinstance(fields, dict) or set(fields) != set(types):
        raise ApiError("INVALID_ARGUMENT", f"The body must be an object with exactly the fields {', '.join(types)}.")
    for name, wanted in types.items():
        # type(): a bool is not a count.
        if type(fields[name]) is not wanted:
            raise ApiError("INVALID_ARGUMENT", f"{name} must be of type {wanted.__name__}; got {fields[name]!r}.")
    return fields


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise ApiError("INVALID_ARGUMENT", f"The body is not JSON: {error}") from None


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
