"""Service identities and operations of Service Usage's v1beta1 API, which Terraform and Config Connector call.

No client package has its messages; the reference is cloud.google.com/service-usage/docs/reference/rest/v1beta1.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from google.longrunning.operations_pb2 import GetOperationRequest
from google.protobuf import json_format
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.cloud import Cloud
from localcloud.errors import ApiError

Fields = dict[str, Any]

_DATA = Path(__file__).with_name("service_agents.yaml")
_IDENTITY = "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity"


@cache
def _agents() -> dict[str, str | None]:
    return {row["api"]: row["domain"] for row in yaml.safe_load(_DATA.read_text())["agents"]}


def service_identity(cloud: Cloud, project: str, api: str) -> Fields:
    """`ServiceIdentity` of `api` in a project. Raises ApiError UNIMPLEMENTED for an API that is not in the table."""
    if api not in _agents():
        known = ", ".join(_agents())
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not know the service agent of {api}; it knows {known}.")
    domain = _agents()[api]
    if domain is None:
        return {}
    email = f"service-{cloud.project_number(project)}@{domain}.iam.gserviceaccount.com"
    number = 10**20 + int(hashlib.sha256(email.encode()).hexdigest(), 16) % (9 * 10**20)
    return {"email": email, "uniqueId": str(number)}


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


EXTRA_ROUTES = {
    "service-usage": [
        Route("/v1beta1/projects/{project}/services/{api}:generateServiceIdentity", _generate, methods=["POST"]),
        Route("/v1beta1/operations/{operation}", _get_operation, methods=["GET"]),
    ]
}
