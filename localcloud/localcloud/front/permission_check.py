"""Checks the permissions of every call of a contract's method, before its handler sees it."""

from functools import reduce
from typing import Any

from localcloud.core import regions
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import accounts, method_permissions
from localcloud.front import operation_permissions
from localcloud.front.contract import Method

_OPERATIONS = "google.longrunning.Operations"
_VERTEX = "google.cloud.aiplatform."
_VERTEX_API = "aiplatform.googleapis.com"
# Methods whose work Vertex AI's service agent does: the first call of one creates the agent.
_FIRST_USES = ("Create", "Upload", "Deploy")


def ask(cloud: Cloud, method: Method, request: Any) -> None:
    """Raises ApiError PERMISSION_DENIED unless the caller may make this call of a method of a contract.

    `request` is the protobuf request; a method that streams its requests is refused, as none has a row.
    """
    if method.service == _OPERATIONS:
        regions.check_open(cloud, request.name)
        operation_permissions.ask(cloud, method.name, request.name)
        return
    row = method_permissions.row_of(method.rpc)
    if row.on:
        resource = str(reduce(getattr, row.on.split("."), request)) or _of_project(request)
        regions.check_open(cloud, resource)
        method_permissions.check(cloud, row, resource)
        if method.service.startswith(_VERTEX) and method.name.startswith(_FIRST_USES):
            accounts.make_service_agent(cloud, resource.split("/")[1], _VERTEX_API, granted=True)


def _of_project(request: Any) -> str:
    """The resource of a request whose field for it is empty.

    Cloud Build's requests may name a project instead, which means its location `global`; a project may be created
    without a parent, which is then an organization that no request names.
    """
    if hasattr(request, "project_id"):
        return f"projects/{request.project_id}/locations/global" if request.project_id else ""
    return "organizations/-" if hasattr(request, "project") else ""
