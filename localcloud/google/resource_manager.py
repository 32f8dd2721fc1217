"""Resource Manager: every project id exists, and always has the same number; who may do what in it."""

from typing import Any

from google.cloud.resourcemanager_v3.types import Project
from google.protobuf.message import Message

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google.policies import get_policy, set_policy
from localcloud.services import Service

service = Service("google.cloud.resourcemanager.v3.Projects")


@service.method("GetProject")
def get_project(request: Any, cloud: Cloud) -> Message:
    """By id or number; a number that no id has led to is refused as the real service refuses a stranger's project."""
    collection, _, project = request.name.partition("/")
    if collection != "projects" or not project or "/" in project:
        raise ApiError("INVALID_ARGUMENT", f"{request.name!r} is not of the form projects/PROJECT.")
    project_id = cloud.project_id(project)
    if project_id.isdigit():
        raise ApiError("PERMISSION_DENIED", "The caller does not have permission")
    return Project.pb()(
        name=f"projects/{cloud.project_number(project)}",
        project_id=project_id,
        display_name=project_id,
        state=Project.State.ACTIVE,
    )


@service.method("GetIamPolicy")
def get_iam_policy(request: Any, cloud: Cloud) -> Message:
    policy: Message = get_policy(cloud, cloud.canonical(request.resource))
    return policy


@service.method("SetIamPolicy")
def set_iam_policy(request: Any, cloud: Cloud) -> Message:
    policy: Message = set_policy(cloud, cloud.canonical(request.resource), request.policy)
    return policy
