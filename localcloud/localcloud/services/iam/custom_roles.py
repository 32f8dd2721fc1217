"""Custom roles of a project: made, listed, changed, deleted and undeleted (IAM API, "projects.roles").

A deleted role keeps its name and can be undeleted for a week. Roles of an organization are refused by name.
"""

import base64
import re
from collections.abc import Mapping

from google.protobuf.struct_pb2 import Struct

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, fields_of, struct_of
from localcloud.core.store import Kind
from localcloud.services.iam.service_accounts import check_names

CUSTOM_ROLES = Kind("custom role", Struct)
"""By `projects/<project id>/roles/<role id>`; fields as the REST API's `Role` has them."""

_ROLE_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")
_PERMISSION = re.compile(r"[a-z][a-z0-9-]*\.[a-zA-Z0-9]+\.[a-zA-Z0-9]+")
_STAGES = ("ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP")
_SETTABLE = ("title", "description", "includedPermissions", "stage")
_LONGEST = {"title": 100, "description": 300}


def create(cloud: Cloud, project: str, body: Fields) -> Fields:
    parent = f"projects/{cloud.project_id(project)}"
    check_names(body, {"roleId", "role"})
    role_id = str(body.get("roleId", ""))
    if not _ROLE_ID.fullmatch(role_id):
        raise ApiError("INVALID_ARGUMENT", f"The role_id {role_id!r} is invalid: 3 to 64 of a-z, A-Z, 0-9, _ and '.'.")
    name = f"{parent}/roles/{role_id}"
    role = {"name": name, **_settable(body.get("role") or {}), "etag": _etag(cloud)}
    with cloud.store.transaction():
        found = cloud.store.get(CUSTOM_ROLES, name)
        if found is not None and "deleted" in found:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"You can't create a role with role_id ({role_id}) where there is an existing role with that role_id "
                "in a deleted state.",
            )
        if found is not None:
            raise ApiError("ALREADY_EXISTS", f"A role named {role_id} in {parent} already exists.")
        _put(cloud, role)
    return role


def list_roles(cloud: Cloud, project: str, query: Mapping[str, str]) -> Fields:
    """Roles, with permissions only in the view FULL; deleted ones with `showDeleted`."""
    roles = [fields_of(role) for role in cloud.store.list(CUSTOM_ROLES, f"projects/{cloud.project_id(project)}")]
    shown = [role for role in roles if not role.get("deleted") or query.get("showDeleted") == "true"]
    if query.get("view") != "FULL":
        shown = [{name: role[name] for name in role if name != "includedPermissions"} for role in shown]
    return {"roles": shown} if shown else {}


def get(cloud: Cloud, project: str, role_id: str) -> Fields:
    """Raises ApiError NOT_FOUND."""
    name = f"projects/{cloud.project_id(project)}/roles/{role_id}"
    found = cloud.store.get(CUSTOM_ROLES, name)
    if found is None:
        raise ApiError("NOT_FOUND", f"The role named {name} was not found.")
    return fields_of(found)


def patch(cloud: Cloud, role: Fields, body: Fields, mask: str) -> Fields:
    """Without a mask, changes every field of the body."""
    if role.get("deleted"):
        raise ApiError("FAILED_PRECONDITION", f"The role {role['name']} is deleted; undelete it first.")
    if body.get("etag") and body["etag"] != role["etag"]:
        raise ApiError("ABORTED", "There were concurrent changes of the role. Please read it again.")
    wanted = _settable(body)
    paths = [_camel(path) for path in mask.split(",") if path] or list(wanted)
    if unknown := [path for path in paths if path not in _SETTABLE]:
        raise ApiError("INVALID_ARGUMENT", f"The update mask may name {', '.join(_SETTABLE)}; got {unknown}.")
    kept = {name: value for name, value in role.items() if name not in paths}
    return _put(cloud, {**kept, **{path: wanted[path] for path in paths if path in wanted}, "etag": _etag(cloud)})


def delete(cloud: Cloud, role: Fields) -> Fields:
    if role.get("deleted"):
        raise ApiError("FAILED_PRECONDITION", f"The role {role['name']} is deleted already.")
    return _put(cloud, {**role, "deleted": True, "etag": _etag(cloud)})


def undelete(cloud: Cloud, role: Fields) -> Fields:
    if not role.get("deleted"):
        raise ApiError("FAILED_PRECONDITION", f"The role {role['name']} is not deleted.")
    return _put(cloud, {**{name: role[name] for name in role if name != "deleted"}, "etag": _etag(cloud)})


def _settable(role: Fields) -> Fields:
    """The fields that a caller may set, without empty ones. Raises ApiError INVALID_ARGUMENT."""
    check_names(role, {*_SETTABLE, "name", "etag", "deleted"})
    for field, longest in _LONGEST.items():
        if len(str(role.get(field, ""))) > longest:
            raise ApiError("INVALID_ARGUMENT", f"The role's {field} has more than {longest} characters.")
    for permission in role.get("includedPermissions") or []:
        if not _PERMISSION.fullmatch(str(permission)):
            raise ApiError("INVALID_ARGUMENT", f"Permission {permission} is not valid.")
    if role.get("stage") and role["stage"] not in _STAGES:
        raise ApiError("INVALID_ARGUMENT", f"Invalid value for stage: {role['stage']!r}; use {', '.join(_STAGES)}.")
    return {name: role[name] for name in _SETTABLE if role.get(name)}


def _camel(path: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), path.strip())


def _put(cloud: Cloud, role: Fields) -> Fields:
    message = struct_of(role)
    cloud.store.put(CUSTOM_ROLES, role["name"], message)
    return role


def _etag(cloud: Cloud) -> str:
    return base64.b64encode(bytes.fromhex(cloud.ids.hex(16))).decode()
