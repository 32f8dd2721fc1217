"""Workload identity pools and their providers: kept, soft-deleted, undeleted. Nobody logs in through them here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.store import Kind

Fields = dict[str, Any]

_POOLS = Kind("workload identity pool", Struct)
"""Providers too, by their names under the pool's."""

# `WorkloadIdentityPool` in the IAM API: "4-32 characters, [a-z0-9-]; the prefix gcp- is reserved".
_ID = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
_GITHUB = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True)
class Call:
    verb: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Fields


def create_pool(cloud: Cloud, call: Call) -> Fields:
    parent = _parent(cloud, call)
    return _create(cloud, f"{parent}/workloadIdentityPools", call.query.get("workloadIdentityPoolId", ""), call.body)


def create_provider(cloud: Cloud, call: Call) -> Fields:
    """GitHub's issuer serves every repository of the world: IAM wants a condition for it."""
    pool = f"{_parent(cloud, call)}/workloadIdentityPools/{call.path['pool']}"
    _require(cloud, pool)
    issuer = call.body.get("oidc", {}).get("issuerUri", "")
    if not issuer.startswith("https://") or "google.subject" not in call.body.get("attributeMapping", {}):
        raise ApiError("INVALID_ARGUMENT", "A provider needs oidc.issuerUri and a mapping of google.subject.")
    if issuer == _GITHUB and "assertion." not in call.body.get("attributeCondition", ""):
        raise ApiError("INVALID_ARGUMENT", "The attribute condition must reference one of the provider's claims.")
    return _create(cloud, f"{pool}/providers", call.query.get("workloadIdentityPoolProviderId", ""), call.body)


def one(cloud: Cloud, call: Call) -> Fields:
    """A pool or a provider: looked at, deleted (kept for 30 days), undeleted."""
    parts = [call.path["pool"], *([call.path["provider"]] if "provider" in call.path else [])]
    parts[-1], _, action = parts[-1].partition(":")
    name = f"{_parent(cloud, call)}/workloadIdentityPools/{'/providers/'.join(parts)}"
    found = _require(cloud, name)
    match call.verb, action:
        case "GET", "":
            return found
        case "DELETE", "":
            return _stored(cloud, name, {**found, "state": "DELETED"})
        case "POST", "undelete":
            return _stored(cloud, name, {**found, "state": "ACTIVE"})
    raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {call.verb} {action} of {name}.")


def _parent(cloud: Cloud, call: Call) -> str:
    return cloud.canonical(f"projects/{call.path['project']}/locations/global")


def _create(cloud: Cloud, collection: str, resource_id: str, body: Fields) -> Fields:
    if not _ID.fullmatch(resource_id):
        raise ApiError(
            "INVALID_ARGUMENT", f"{resource_id!r} is no id: 4 to 32 of a-z, 0-9 and -, without gcp- in front."
        )
    name = f"{collection}/{resource_id}"
    if cloud.store.get(_POOLS, name) is not None:
        raise ApiError("ALREADY_EXISTS", "Requested entity already exists")
    return _stored(cloud, name, {**body, "name": name, "state": "ACTIVE"})


def _stored(cloud: Cloud, name: str, fields: Fields) -> Fields:
    """The operation that ended with it."""
    message = Struct()
    message.update(fields)
    cloud.store.put(_POOLS, name, message)
    return {"name": f"{name}/operations/{cloud.ids.hex(16)}", "done": True, "response": fields}


def _require(cloud: Cloud, name: str) -> Fields:
    found = cloud.store.get(_POOLS, name)
    if found is None:
        raise ApiError("NOT_FOUND", f"Requested entity was not found: {name}.")
    fields: Fields = json_format.MessageToDict(found)
    return fields
