"""Resource Manager: projects and their policies. A project exists once it is used; an id never changes its number.

The older v1 API of the same projects: `resource_manager_v1`.
"""

import re
from typing import Any

from google.cloud.resourcemanager_v3.types import (
    CreateProjectMetadata,
    DeleteProjectMetadata,
    ListProjectsResponse,
    Project,
    SearchProjectsResponse,
    UndeleteProjectMetadata,
    UpdateProjectMetadata,
)
from google.iam.v1.iam_policy_pb2 import TestIamPermissionsResponse
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import caller
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.permissions.decisions import has
from localcloud.core.registration import Service
from localcloud.core.store import Kind
from localcloud.services.iam.iam_policies import USUAL_MASK, get_policy, set_policy
from localcloud.services.iam.permission_tests import test_permissions

PROJECTS = Kind("project", Project.pb())

# `Project.project_id`: "6 to 30 lowercase ASCII letters, digits, or hyphens", a letter first, no hyphen at the end.
_PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_PARENT = re.compile(r"(organizations|folders)/\d+")
_GET = "resourcemanager.projects.get"
_STATE = Project.State
_UPDATABLE = frozenset({"display_name", "labels"})

service = Service("google.cloud.resourcemanager.v3.Projects")


@service.method("GetProject")
def get_project(request: Any, cloud: Cloud) -> Message:
    """A project by id or number. An unknown number is refused, as the real service refuses a stranger's project."""
    return _project(cloud, request.name)


@service.method("ListProjects")
def list_projects(request: Any, cloud: Cloud) -> Message:
    """Lists the active projects directly under the required parent; `show_deleted` adds deleted projects."""
    if not _PARENT.fullmatch(request.parent):
        raise ApiError("INVALID_ARGUMENT", f"parent {request.parent!r} is neither organizations/N nor folders/N.")
    projects = [project for project in cloud.store.list(PROJECTS) if project.parent == request.parent]
    shown = [project for project in projects if request.show_deleted or project.state == _STATE.ACTIVE]
    chosen, token = page(shown, request)
    return ListProjectsResponse.pb()(projects=chosen, next_page_token=token)


@service.method("SearchProjects")
def search_projects(request: Any, cloud: Cloud) -> Message:
    """Lists the projects that were created or used, and that the caller may get."""
    if request.query:
        raise ApiError("UNIMPLEMENTED", "The local cloud does not implement queries of SearchProjects.")
    shown = [project for project in cloud.store.list(PROJECTS) if has(cloud, caller(), _GET, project.name)]
    chosen, token = page(shown, request)
    return SearchProjectsResponse.pb()(projects=chosen, next_page_token=token)


@service.method("CreateProject")
def create_project(request: Any, cloud: Cloud) -> Message:
    wanted = request.project
    if not _PROJECT_ID.fullmatch(wanted.project_id):
        raise ApiError(
            "INVALID_ARGUMENT", f'field [project_id] has issue [project_id "{wanted.project_id}" is invalid]'
        )
    if wanted.parent and not _PARENT.fullmatch(wanted.parent):
        raise ApiError("INVALID_ARGUMENT", f"parent {wanted.parent!r} is neither organizations/N nor folders/N.")
    if cloud.knows_project(wanted.project_id):
        raise ApiError("ALREADY_EXISTS", "Requested entity already exists")
    project = _new(cloud, wanted.project_id)
    project.parent = wanted.parent
    project.display_name = wanted.display_name or wanted.project_id
    project.labels.update(wanted.labels)
    cloud.store.insert(PROJECTS, project.name, project)
    metadata = CreateProjectMetadata.pb()(create_time=project.create_time, gettable=True, ready=True)
    return cloud.operations.finished("", metadata=metadata, response=project)


@service.method("UpdateProject")
def update_project(request: Any, cloud: Cloud) -> Message:
    paths = set(request.update_mask.paths) or {field.name for field, _ in request.project.ListFields()} & _UPDATABLE
    if not paths <= _UPDATABLE:
        raise ApiError("INVALID_ARGUMENT", f"The update mask may name {', '.join(sorted(_UPDATABLE))}; got {paths}.")
    name = _project(cloud, request.project.name).name
    with cloud.store.update(PROJECTS, name) as project:
        _check_etag(request.project.etag, project.etag)
        for path in paths:
            project.ClearField(path)
        if "display_name" in paths:
            project.display_name = request.project.display_name
        if "labels" in paths:
            project.labels.update(request.project.labels)
        _touch(cloud, project)
    return cloud.operations.finished("", metadata=UpdateProjectMetadata.pb()(), response=project)


@service.method("DeleteProject")
def delete_project(request: Any, cloud: Cloud) -> Message:
    """Marks a project as deleted. For 30 days it can be undeleted; its id stays taken, and its resources are kept."""
    project = _change_state(cloud, request.name, _STATE.ACTIVE, _STATE.DELETE_REQUESTED)
    return cloud.operations.finished("", metadata=DeleteProjectMetadata.pb()(), response=project)


@service.method("UndeleteProject")
def undelete_project(request: Any, cloud: Cloud) -> Message:
    project = _change_state(cloud, request.name, _STATE.DELETE_REQUESTED, _STATE.ACTIVE)
    return cloud.operations.finished("", metadata=UndeleteProjectMetadata.pb()(), response=project)


@service.method("GetIamPolicy")
def get_iam_policy(request: Any, cloud: Cloud) -> Message:
    """A project's policy. It has a version even if it was never set."""
    policy = get_policy(cloud, cloud.canonical(request.resource))
    policy.version = policy.version or 1
    answered: Message = policy
    return answered


@service.method("SetIamPolicy")
def set_iam_policy(request: Any, cloud: Cloud) -> Message:
    mask = request.update_mask.paths or USUAL_MASK
    policy: Message = set_policy(cloud, cloud.canonical(request.resource), request.policy, mask)
    return policy


@service.method("TestIamPermissions")
def test_iam_permissions(request: Any, cloud: Cloud) -> Message:
    return TestIamPermissionsResponse(**test_permissions(cloud, request.resource, request.permissions))


def _project(cloud: Cloud, name: str) -> Any:
    """The project `name`, created at its first use. Raises ApiError for a malformed name or an unknown number."""
    collection, _, project = name.partition("/")
    if collection != "projects" or not project or "/" in project:
        raise ApiError("INVALID_ARGUMENT", f"{name!r} is not of the form projects/PROJECT.")
    project_id = cloud.project_id(project)
    if project_id.isdigit():
        raise ApiError("PERMISSION_DENIED", "The caller does not have permission")
    with cloud.store.transaction():
        found = cloud.store.get(PROJECTS, cloud.canonical(name))
        if found is None:
            found = _new(cloud, project_id)
            cloud.store.put(PROJECTS, found.name, found)
    return found


def _new(cloud: Cloud, project_id: str) -> Any:
    project = Project.pb()(
        name=f"projects/{cloud.project_number(project_id)}",
        project_id=project_id,
        display_name=project_id,
        state=_STATE.ACTIVE,
    )
    _touch(cloud, project)
    project.create_time.CopyFrom(project.update_time)
    return project


def _touch(cloud: Cloud, project: Any) -> None:
    project.update_time.CopyFrom(cloud.timestamp())
    project.etag = f'W/"{cloud.ids.hex(16)}"'


def _change_state(cloud: Cloud, name: str, before: int, after: int) -> Any:
    """Moves a project from state `before` to `after`. Raises ApiError FAILED_PRECONDITION in another state."""
    with cloud.store.update(PROJECTS, _project(cloud, name).name) as project:
        if project.state != before:
            raise ApiError("FAILED_PRECONDITION", f"{project.name} is in state {_STATE(project.state).name}.")
        project.state = after
        _touch(cloud, project)
        project.ClearField("delete_time")
        if after == _STATE.DELETE_REQUESTED:
            project.delete_time.CopyFrom(project.update_time)
    return project


def _check_etag(given: str, current: str) -> None:
    if given and given != current:
        raise ApiError("ABORTED", "The etag does not match: the project was changed since it was read.")
