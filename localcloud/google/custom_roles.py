"""Custom roles of projects: made, read, changed and deleted over REST."""

import re
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google.identity_pools import Call
from localcloud.permissions import CUSTOM_ROLES

Fields = dict[str, Any]

_ROLE_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")
_FIELDS = ("title", "description", "includedPermissions", "stage")


def create_role(cloud: Cloud, call: Call) -> Fields:
    """Raises ApiError ALREADY_EXISTS, also for the id of a deleted role: it is free after some weeks."""
    role_id = str(call.body.get("roleId", ""))
    if not _ROLE_ID.fullmatch(role_id):
        raise ApiError("INVALID_ARGUMENT", f"The role ID {role_id!r} must match [a-zA-Z0-9_.]{{3,64}}.")
    name = f"projects/{cloud.project_id(call.path['project'])}/roles/{role_id}"
    if cloud.store.get(CUSTOM_ROLES, name) is not None:
        raise ApiError("ALREADY_EXISTS", f"A role named {role_id} in {name.partition('/roles/')[0]} already exists.")
    return _put(cloud, {"name": name, **_asked(call.body.get("role", {}))})


def list_roles(cloud: Cloud, call: Call) -> Fields:
    parent = f"projects/{cloud.project_id(call.path['project'])}/roles"
    roles = [_fields(role) for role in cloud.store.list(CUSTOM_ROLES, parent)]
    return {"roles": [role for role in roles if not role.get("deleted")]}


def one_role(cloud: Cloud, call: Call) -> Fields:
    """A role: read, changed in the fields of `updateMask` (else those that are given), deleted, undeleted."""
    role_id, _, action = call.path["role"].partition(":")
    name = f"projects/{cloud.project_id(call.path['project'])}/roles/{role_id}"
    found = cloud.store.get(CUSTOM_ROLES, name)
    if found is None:
        raise ApiError("NOT_FOUND", f"The role named {name} was not found.")
    role = _fields(found)
    match call.verb, action:
        case "GET", "":
            return role
        case "PATCH", "":
            paths = [path for path in call.query.get("updateMask", "").split(",") if path]
            wanted = _asked(call.body)
            changed = {field: value for field, value in wanted.items() if not paths or field in paths}
            return _put(cloud, {**role, **changed})
        case "DELETE", "":
            return _put(cloud, {**role, "deleted": True})
        case "POST", "undelete":
            return _put(cloud, {field: value for field, value in role.items() if field != "deleted"})
    raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {call.verb} {action} of a role.")


def _asked(given: Fields) -> Fields:
    return {field: given[field] for field in _FIELDS if field in given}


def _put(cloud: Cloud, fields: Fields) -> Fields:
    stored = {**fields, "etag": cloud.ids.hex(12)}
    message = Struct()
    message.update(stored)
    cloud.store.put(CUSTOM_ROLES, fields["name"], message)
    return stored


def _fields(role: Struct) -> Fields:
    fields: Fields = json_format.MessageToDict(role)
    return fields
