"""Service Usage: which APIs a project has enabled. None to begin with; the local cloud serves them all the same.

Enabling Compute Engine's API makes its default service account; `generateServiceIdentity`, which v1beta1 alone has, an
API's service agent.
"""

import re
from typing import Any

from google.cloud.service_usage_v1.types import (
    DisableServiceResponse,
    EnableServiceResponse,
    ListServicesResponse,
    OperationMetadata,
    Service,
    State,
)
from google.protobuf.message import Message
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from localcloud import permissions
from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google import accounts
from localcloud.listing import page
from localcloud.services import Service as ServiceHandlers
from localcloud.store import Kind

_SERVICES = Kind("enabled service", Service.pb())
_API = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.googleapis\.com")

service = ServiceHandlers("google.api.serviceusage.v1.ServiceUsage")


@service.method("GetService")
def get_service(request: Any, cloud: Cloud) -> Message:
    return _service(cloud, request.name)


@service.method("ListServices")
def list_services(request: Any, cloud: Cloud) -> Message:
    """Those that were ever enabled or disabled."""
    chosen, token = page(cloud.store.list(_SERVICES, cloud.canonical(request.parent)), request)
    return ListServicesResponse.pb()(services=chosen, next_page_token=token)


@service.method("EnableService")
def enable_service(request: Any, cloud: Cloud) -> Message:
    changed = _change(cloud, request.name, State.ENABLED)
    if changed.config.name == accounts.COMPUTE_API:
        accounts.make_compute_account(cloud, changed.parent.partition("/")[2])
    return _done(cloud, changed, EnableServiceResponse.pb()(service=changed))


@service.method("DisableService")
def disable_service(request: Any, cloud: Cloud) -> Message:
    changed = _change(cloud, request.name, State.DISABLED)
    return _done(cloud, changed, DisableServiceResponse.pb()(service=changed))


async def _generate_identity(request: Request) -> Response:
    """The agent of an API that has one, in an operation that is done; its answer has no account where there is none."""
    cloud: Cloud = request.app.state.cloud
    project, api = request.path_params["project"], request.path_params["api"]

    def make() -> Any:
        permissions.check(cloud, "serviceusage.services.enable", f"projects/{project}/services/{api}")
        return accounts.make_service_agent(cloud, project, api, granted=False)

    agent = await run_in_threadpool(make)
    identity = {"email": agent["email"], "uniqueId": agent["uniqueId"]} if agent is not None else {}
    named = {"@type": "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity", **identity}
    return JSONResponse({"name": f"operations/finished.{cloud.ids.hex(16)}", "done": True, "response": named})


ROUTES: list[BaseRoute] = [
    Route("/v1beta1/projects/{project}/services/{api}:generateServiceIdentity", _generate_identity, methods=["POST"])
]


def _change(cloud: Cloud, name: str, state: State) -> Any:
    changed = _service(cloud, name)
    changed.state = state
    cloud.store.put(_SERVICES, changed.name, changed)
    return changed


def _service(cloud: Cloud, name: str) -> Any:
    canonical = cloud.canonical(name)
    parent, _, api = canonical.partition("/services/")
    if not _API.fullmatch(api):
        raise ApiError("PERMISSION_DENIED", f"Not found or permission denied for service(s): {api}.")
    known = cloud.store.get(_SERVICES, canonical)
    return known or Service.pb()(name=canonical, parent=parent, config={"name": api}, state=State.DISABLED)


def _done(cloud: Cloud, changed: Any, response: Message) -> Message:
    metadata = OperationMetadata.pb()(resource_names=[changed.name])
    return cloud.operations.finished(changed.parent, metadata=metadata, response=response)
