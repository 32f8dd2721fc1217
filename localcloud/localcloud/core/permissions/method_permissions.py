"""The one place where a call is asked for its permissions, before its handler sees it."""

from functools import reduce
from typing import Any

from localcloud.core import regions
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import accounts, decisions, operation_permissions, permission_table
from localcloud.front.contract import Method

_OPERATIONS = "google.longrunning.Operations"
_VERTEX = "google.cloud.aiplatform."
_VERTEX_API = "aiplatform.googleapis.com"
# Methods whose work Vertex AI's service agent does: the first of them makes the agent.
_FIRST_USES = ("Create", "Upload", "Deploy")


def ask(cloud: Cloud, method: Method, request: Any) -> None:
    """Raises ApiError PERMISSION_DENIED unless the caller may make this call of a method of a contract.

    `request` is the protobuf request; a method that streams its requests is refused, as none has a row.
    """
    if method.service == _OPERATIONS:
        regions.check_open(cloud, request.name)
        operation_permissions.ask(cloud, method.name, request.name)
        return
    asked = _asked(method.rpc)
    if asked.on:
        resource = str(reduce(getattr, asked.on.split("."), request)) or _of_project(request)
        regions.check_open(cloud, resource)
        _check(cloud, asked, resource)
        if method.service.startswith(_VERTEX) and method.name.startswith(_FIRST_USES):
            accounts.make_service_agent(cloud, resource.split("/")[1], _VERTEX_API, granted=True)


def require(cloud: Cloud, rpc: str, resource: str) -> None:
    """The same for a method that no contract has: `rpc` is its name in permission_methods.yaml."""
    asked = _asked(rpc)
    if asked.on:
        _check(cloud, asked, resource)


def _of_project(request: Any) -> str:
    """The resource of a request whose field for it is empty.

    Cloud Build's requests may name a project instead, which means its location `global`; a project may be created
    without a parent, which is then an organization that no request names.
    """
    if hasattr(request, "project_id"):
        return f"projects/{request.project_id}/locations/global" if request.project_id else ""
    return "organizations/-" if hasattr(request, "project") else ""


def _check(cloud: Cloud, asked: permission_table.Asked, resource: str) -> None:
    for permission in asked.permissions:
        decisions.check(cloud, permission, resource)


def _asked(rpc: str) -> permission_table.Asked:
    found = permission_table.methods().get(rpc)
    if found is None:
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not know which permissions {rpc} asks for.")
    return found
