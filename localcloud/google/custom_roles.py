"""A project's custom roles: created, changed, deleted softly, brought back (IAM API, `projects.roles`)."""

import re
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from localcloud import permissions
from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google.identity_pools import Call
from localcloud.store import Kind

Fields = dict[str, Any]

ROLES = Kind("custom role", Struct)
"""By `projects/PROJECT/roles/ID`."""

# `CreateRoleRequest.roleId`, 2026-08-22: letters, digits, underscores and periods, 3 to 64.
_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")
_FIELDS = ("title", "description", "includedPermissions", "stage")


def create_role(cloud: Cloud, call: Call) -> Fields:
    project = cloud.project_id(call.path["project"])
    permissions.check(cloud, "iam.roles.create", f"projects/{project}")
    role_id = str(call.body.get("roleId", ""))
    if not _ID.fullmatch(role_id):
        raise ApiError("INVALID_ARGUMENT", f"The role ID {role_id!r} is invalid.")
    name = f"projects/{project}/roles/{role_id}"
    found = cloud.store.get(ROLES, name)
    if found is not None:
        raise ApiError("ALREADY_EXISTS", f"A role named {role_id} in {name.rpartition('/roles/')[0]} already exists.")
    given = call.body.get("role", {})
    return _stored(cloud, name, {key: given[key] for key in _FIELDS if key in given})


def one_role(cloud: Cloud, call: Call) -> Fields:
    """A role: looked at, changed as `updateMask` says, deleted (its id stays taken), undeleted."""
    role_id, _, action = call.path["role"].partition(":")
    name = f"projects/{cloud.project_id(call.path['project'])}/roles/{role_id}"
    role = role_of(cloud, name)
    if role is None:
        raise ApiError("NOT_FOUND", f"The role named {name} was not found.")
    match call.verb, action:
        case "GET", "":
            return role
        case "PATCH", "":
            permissions.check(cloud, "iam.roles.update", name)
            mask = call.query.get("updateMask", ",".join(_FIELDS)).split(",")
            return _stored(cloud, name, role | {key: call.body[key] for key in mask if key in call.body})
        case "DELETE", "":
            permissions.check(cloud, "iam.roles.delete", name)
            return _stored(cloud, name, {**role, "deleted": True})
        case "POST", "undelete":
            permissions.check(cloud, "iam.roles.undelete", name)
            return _stored(cloud, name, {key: value for key, value in role.items() if key != "deleted"})
    raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {call.verb} {action} of a role.")


def role_of(cloud: Cloud, name: str) -> Fields | None:
    """A custom role as REST has it, a deleted one with `deleted`; None where there never was one."""
    found = cloud.store.get(ROLES, name)
    fields: Fields | None = None if found is None else json_format.MessageToDict(found)
    return fields


def _stored(cloud: Cloud, name: str, fields: Fields) -> Fields:
    role = {**fields, "name": name, "etag": cloud.ids.hex(12)}
    message = Struct()
    message.update(role)
    cloud.store.put(ROLES, name, message)
    return role
