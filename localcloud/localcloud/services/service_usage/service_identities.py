"""Service identities and operations of Service Usage's v1beta1 API, which Terraform and Config Connector call.

No client package has its messages; the reference is cloud.google.com/service-usage/docs/reference/rest/v1beta1.
"""

from typing import Any

from google.longrunning.operations_pb2 import GetOperationRequest
from google.protobuf import json_format
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.cloud import Cloud
from localcloud.core.permissions import accounts
from localcloud.core.permissions.method_permissions import require

Fields = dict[str, Any]

_IDENTITY = "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity"


def service_identity(cloud: Cloud, project: str, api: str) -> Fields:
    """`ServiceIdentity` of `api` in a project; creates the service agent. Raises ApiError.

    No page names the permission: the local cloud checks the stricter candidate, the one for enabling the API.
    """
    require(cloud, "service-usage/generateServiceIdentity", f"projects/{project}/services/{api}")
    agent = accounts.make_service_agent(cloud, project, api, granted=False)
    return {"email": agent["email"], "uniqueId": agent["uniqueId"]} if agent is not None else {}


async def _generate(request: Request) -> Response:
    cloud: Cloud = request.app.state.cloud
    names = request.path_params
    identity = await run_in_threadpool(service_identity, cloud, names["project"], names["api"])
    operation = {"name": f"operations/finished.{cloud.ids.hex(16)}", "done": True}
    return JSONResponse({**operation, "response": {"@type": _IDENTITY, **identity}})


async def _get_operation(request: Request) -> Response:
    dispatcher = request.app.state.dispatcher
    method = dispatcher.method("/google.longrunning.Operations/GetOperation")
    wanted = GetOperationRequest(name=f"operations/{request.path_params['operation']}")
    found = await run_in_threadpool(dispatcher.call, method, wanted)
    return JSONResponse(json_format.MessageToDict(found))


ROUTES = (
    Route("/v1beta1/projects/{project}/services/{api}:generateServiceIdentity", _generate, methods=["POST"]),
    Route("/v1beta1/operations/{operation}", _get_operation, methods=["GET"]),
)
