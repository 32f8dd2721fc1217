"""Resource Manager's v1 API, translated to v3: Terraform, Config Connector and `gcloud projects` still use v1.

No client package has its messages; its reference is cloud.google.com/resource-manager/reference/rest/v1/projects.
A project that was never used is refused as a stranger's, so that a client that checks first then creates it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from google.cloud.resourcemanager_v3.types import Project
from google.longrunning.operations_pb2 import Operation
from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.services.resource_manager.project_filters import project_filter

Fields = dict[str, Any]

_PACKAGE = "google.cloudresourcemanager.v1"
_PROJECTS = "google.cloud.resourcemanager.v3.Projects"
_KNOWN = frozenset({"projectId", "projectNumber", "name", "labels", "parent", "lifecycleState", "createTime"})


class _Call:
    """A v1 request and the v3 call that answers it."""

    def __init__(self, request: Request, body: Fields) -> None:
        self.verb = request.method
        self.cloud: Cloud = request.app.state.cloud
        self.dispatcher: Any = request.app.state.dispatcher
        self.project, _, self.action = request.path_params.get("project", "").partition(":")
        self.operation = request.path_params.get("operation", "")
        self.body = body
        self.filter = request.query_params.get("filter", "")

    def v3(self, method: str, fields: Fields, service: str = _PROJECTS) -> Any:
        """Calls a v3 method with proto JSON. Raises ApiError INVALID_ARGUMENT for unknown fields."""
        found = self.dispatcher.method(f"/{service}/{method}")
        try:
            message = json_format.ParseDict(fields, found.request_type())
        except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
        return self.dispatcher.call(found, message)


def _create(call: _Call) -> Fields:
    project = _checked(call.body)
    wanted = {"projectId": project.get("projectId", ""), "displayName": project.get("name", "")}
    parent = project.get("parent")
    created = call.v3(
        "CreateProject",
        {
            "project": {
                **{name: value for name, value in wanted.items() if value},
                **({"parent": f"{parent.get('type')}s/{parent.get('id')}"} if parent else {}),
                "labels": project.get("labels", {}),
            }
        },
    )
    return _operation(created)


def _one(call: _Call) -> Fields:
    resource = f"projects/{call.project}"
    match call.verb, call.action:
        case "POST", "getIamPolicy" | "setIamPolicy":
            method = call.action[0].upper() + call.action[1:]
            return _json(call.v3(method, {**call.body, "resource": resource}))
        case "POST", "testIamPermissions":
            return _json(call.v3("TestIamPermissions", {**call.body, "resource": resource}))
    if not call.cloud.knows_project(call.project):
        raise ApiError("PERMISSION_DENIED", "The caller does not have permission")
    match call.verb, call.action:
        case "GET", "":
            return _shown(call.v3("GetProject", {"name": resource}))
        case "PUT", "":
            project = _checked(call.body)
            fields = {"name": resource, "displayName": project.get("name", ""), "labels": project.get("labels", {})}
            call.v3("UpdateProject", {"project": fields, "updateMask": "displayName,labels"})
            return _shown(call.v3("GetProject", {"name": resource}))
        case "DELETE", "":
            call.v3("DeleteProject", {"name": resource})
            return {}
        case "POST", "undelete":
            call.v3("UndeleteProject", {"name": resource})
            return {}
    raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement v1 {call.verb} {call.action} of a project.")


def _list(call: _Call) -> Fields:
    fits = project_filter(call.filter)
    shown = (_shown(project) for project in call.v3("SearchProjects", {}).projects)
    projects = [project for project in shown if fits(project)]
    return {"projects": projects} if projects else {}


def _get_operation(call: _Call) -> Fields:
    found = call.v3("GetOperation", {"name": f"operations/{call.operation}"}, "google.longrunning.Operations")
    return _operation(found)


def _operation(operation: Operation) -> Fields:
    """An operation with v1's types if it created a project, else unchanged."""
    project = Project.pb()()
    fields = _json(operation)
    if "ProjectMetadata" in operation.metadata.type_url and operation.response.Unpack(project):
        status = {name: fields["metadata"][name] for name in ("gettable", "ready") if name in fields["metadata"]}
        fields["metadata"] = {"@type": f"type.googleapis.com/{_PACKAGE}.ProjectCreationStatus", **status}
        fields["response"] = {"@type": f"type.googleapis.com/{_PACKAGE}.Project", **_shown(project)}
    return fields


def _shown(project: Any) -> Fields:
    """A project with v1's fields. Name and parent are left out if they were never set."""
    fields = _json(project)
    named = project.display_name != project.project_id or project.parent
    kind, _, parent_id = project.parent.partition("/")
    optional = {
        "name": project.display_name if named else "",
        "parent": {"type": kind.removesuffix("s"), "id": parent_id} if kind else {},
        "labels": dict(project.labels),
    }
    return {
        "projectNumber": project.name.partition("/")[2],
        "projectId": project.project_id,
        "lifecycleState": fields["state"],
        "createTime": fields["createTime"],
        **{name: value for name, value in optional.items() if value},
    }


def _checked(body: Fields) -> Fields:
    for name in body:
        if name not in _KNOWN:
            raise ApiError(
                "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )
    return body


def _json(message: Message) -> Fields:
    fields: Fields = json_format.MessageToDict(message)
    return fields


def _answer(handler: Callable[[_Call], Fields]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = await request.body()
        try:
            fields = json.loads(body) if body else {}
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
        return JSONResponse(await run_in_threadpool(handler, _Call(request, fields)))

    return answer


ROUTES = (
    Route("/v1/projects", _answer(_create), methods=["POST"]),
    Route("/v1/projects", _answer(_list), methods=["GET"]),
    Route("/v1/projects/{project}", _answer(_one), methods=["GET", "POST", "PUT", "DELETE"]),
    Route("/v1/operations/{operation}", _answer(_get_operation), methods=["GET"]),
)
