"""Decides on permissions by the policies of a resource and its parents; a posted denial comes first."""

from collections.abc import Iterable, Iterator
from functools import partial

from google.iam.v1.policy_pb2 import Policy
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BoolValue, StringValue
from google.rpc.error_details_pb2 import ErrorInfo

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import OWNER, THE_CLOUD, caller
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import permission_table
from localcloud.core.permissions.policy_bindings import Binding, of_message
from localcloud.core.permissions.policy_conditions import Attributes
from localcloud.core.store import Kind

POLICIES = Kind("IAM policy", Policy)
"""By the name of their resource, with the project's number or id as its service stores it."""

CUSTOM_ROLES = Kind("custom role", Struct)
"""By name, `projects/ID/roles/ROLE`, as the REST API has them."""

SERVICE_AGENTS = Kind("service agent", Struct)
"""By email: `name` (of its project), `role` that Google grants it there, also in `AGENT_ROLES`."""

AGENT_ROLES = Kind("role of a service agent", StringValue)
"""By the names of their project and of the agent, `projects/NUMBER/EMAIL`."""

_DENIALS = Kind("denial", BoolValue)

# Roles of the owner on organizations and folders: a new organisation grants the first to everybody in its domain.
_ABOVE_PROJECTS = ("roles/resourcemanager.projectCreator", "roles/browser")

# Resources whose names conditions may use (IAM, "Resource types that accept conditions"). For other resources IAM has
# no name, so that a condition on it is not met.
_KINDS = {
    "projects": ("cloudresourcemanager.googleapis.com", "Project"),
    "secrets": ("secretmanager.googleapis.com", "Secret"),
    "versions": ("secretmanager.googleapis.com", "SecretVersion"),
}


def deny(cloud: Cloud, permission: str, resource: str, *, denied: bool = True) -> None:
    """Denies `permission` on `resource` and everything under it to every caller; `denied=False` removes the denial."""
    name = _denial(cloud, permission, resource)
    if denied:
        cloud.store.put(_DENIALS, name, BoolValue(value=True))
    else:
        cloud.store.delete(_DENIALS, name)


def check(cloud: Cloud, permission: str, resource: str) -> None:
    """Raises ApiError PERMISSION_DENIED, in the service's words, unless the caller has `permission` on `resource`."""
    if not has(cloud, caller(), permission, resource):
        raise refusal(permission, resource)


def has(
    cloud: Cloud,
    member: str,
    permission: str,
    resource: str,
    own_bindings: Iterable[Binding] = (),
    attributes: Attributes | None = None,
) -> bool:
    """Whether `member` has `permission` on `resource`, by its policy or one above it.

    `own_bindings`: of a policy that is not kept among `POLICIES`, as a bucket's. `attributes`: values for
    conditions that the name of the resource does not contain.
    """
    if is_denied(cloud, permission, resource):
        return False
    if member == THE_CLOUD or not cloud.enforces_permissions:
        return True
    asked = attributes or _attributes(cloud, resource)
    basic = partial(has_basic_role, cloud, member)
    bindings = (*own_bindings, *_bindings(cloud, resource))
    return any(gives(cloud, binding.role, permission) and binding.gives(member, asked, basic) for binding in bindings)


def is_denied(cloud: Cloud, permission: str, resource: str) -> bool:
    name = _denial(cloud, permission, resource)
    return any(f"{name}/".startswith(f"{denied}/") for denied, _ in cloud.store.items(_DENIALS, permission))


def refusal(permission: str, resource: str) -> ApiError:
    words = permission_table.words(permission)
    info = ErrorInfo(reason="IAM_PERMISSION_DENIED", domain=words.service, metadata={"permission": permission})
    if words.names_resource:
        info.metadata["resource"] = resource
    message = words.message.format(permission=permission, service=words.service, resource=resource)
    return ApiError("PERMISSION_DENIED", message, [info])


def gives(cloud: Cloud, role: str, permission: str) -> bool:
    """Whether a role, predefined or custom, holds the permission."""
    if role.startswith("roles/"):
        return permission in permission_table.roles().get(role, ())
    found = cloud.store.get(CUSTOM_ROLES, role)
    custom = json_format.MessageToDict(found) if found is not None else {}
    return not custom.get("deleted") and permission in custom.get("includedPermissions", ())


def has_basic_role(cloud: Cloud, member: str, project: str, role: str) -> bool:
    """Whether the project's policy gives `member` that role, as `projectOwner:PROJECT` and the like mean."""
    return any(
        binding.role == role and member in binding.members
        for binding in _bindings(cloud, f"projects/{cloud.project_number(project)}")
    )


def _bindings(cloud: Cloud, resource: str) -> Iterator[Binding]:
    """Bindings of the resource's policy, of its parents' policies, and those that every project has."""
    for name in _and_above(cloud, resource):
        policy = cloud.store.get(POLICIES, name)
        if policy is not None:
            yield from of_message(policy)
    collection, _, rest = resource.partition("/")
    if collection in ("organizations", "folders"):  # they have no policies here
        for role in _ABOVE_PROJECTS:
            yield Binding(role, frozenset({OWNER}))
    project = rest.partition("/")[0]
    if collection == "projects" and project not in ("", "_", "-"):
        yield Binding("roles/owner", frozenset({OWNER}))
        home = f"projects/{cloud.project_number(project)}"
        for name, role in cloud.store.items(AGENT_ROLES, home):
            yield Binding(role.value, frozenset({f"serviceAccount:{name.rpartition('/')[2]}"}))


def _and_above(cloud: Cloud, resource: str) -> Iterator[str]:
    """Names of the resource and of its parents, each with the project's number and with its id."""
    parts = cloud.canonical(resource).split("/")
    project_id = cloud.project_id(parts[1]) if len(parts) > 1 and parts[0] == "projects" else ""
    for length in range(2, len(parts) + 1, 2):
        yield "/".join(parts[:length])
        if project_id:
            yield "/".join(["projects", project_id, *parts[2:length]])


def _attributes(cloud: Cloud, resource: str) -> Attributes:
    parts = cloud.canonical(resource).split("/")
    service, kind = _KINDS.get(parts[-2], ("", "")) if len(parts) > 1 else ("", "")
    known = bool(service) and "repositories" not in parts
    return Attributes(
        name="/".join(parts) if known else "",
        type=f"{service}/{kind}" if known else "",
        service=service if known else "",
        time=cloud.clock(),
    )


def _denial(cloud: Cloud, permission: str, resource: str) -> str:
    return f"{permission}/{cloud.canonical(resource)}"
