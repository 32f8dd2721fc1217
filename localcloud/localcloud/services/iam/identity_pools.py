"""Workload identity pools and their providers: stored, changed, soft-deleted, undeleted; `federation` uses them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.struct_pb2 import Struct
from starlette.datastructures import QueryParams

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, fields_of, struct_of
from localcloud.core.store import Kind
from localcloud.services.iam.service_accounts import check_names

_POOLS = Kind("workload identity pool", Struct)
"""Pools, and providers by their names under the pool's."""
_OPERATIONS = Kind("workload identity pool operation", Struct)

# `WorkloadIdentityPool` in the IAM API: "4-32 characters, [a-z0-9-]; the prefix gcp- is reserved".
_ID = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
_KEPT = timedelta(days=30)
_GITHUB = "https://token.actions.githubusercontent.com"
_POOL_FIELDS = frozenset({"displayName", "description", "disabled"})
_SOURCES = frozenset({"oidc", "aws", "saml", "x509"})
_PROVIDER_FIELDS = _POOL_FIELDS | {"attributeMapping", "attributeCondition"} | _SOURCES


@dataclass(frozen=True)
class Call:
    verb: str
    path: dict[str, str]
    query: QueryParams
    body: Fields


def create_pool(cloud: Cloud, call: Call) -> Fields:
    parent = _parent(cloud, call)
    check_names(call.body, {*_POOL_FIELDS, "name"})
    return _create(cloud, f"{parent}/workloadIdentityPools", call.query.get("workloadIdentityPoolId", ""), call.body)


def create_provider(cloud: Cloud, call: Call) -> Fields:
    pool = f"{_parent(cloud, call)}/workloadIdentityPools/{call.path['pool']}"
    _require(cloud, pool)
    _check_provider(call.body)
    return _create(cloud, f"{pool}/providers", call.query.get("workloadIdentityPoolProviderId", ""), call.body)


def list_pools(cloud: Cloud, call: Call) -> Fields:
    return _listed(cloud, call, f"{_parent(cloud, call)}/workloadIdentityPools", "workloadIdentityPools")


def list_providers(cloud: Cloud, call: Call) -> Fields:
    pool = f"{_parent(cloud, call)}/workloadIdentityPools/{call.path['pool']}"
    _require(cloud, pool)
    return _listed(cloud, call, f"{pool}/providers", "workloadIdentityPoolProviders")


def one(cloud: Cloud, call: Call) -> Fields:
    """Reads, changes, deletes (for 30 days) or undeletes a pool or a provider."""
    parts = [call.path["pool"], *([call.path["provider"]] if "provider" in call.path else [])]
    parts[-1], _, action = parts[-1].partition(":")
    name = f"{_parent(cloud, call)}/workloadIdentityPools/{'/providers/'.join(parts)}"
    found = _require(cloud, name)
    match call.verb, action:
        case "GET", "":
            return found
        case "PATCH", "":
            return _patch(cloud, name, found, call)
        case "DELETE", "":
            expiry = (cloud.clock() + _KEPT).strftime("%Y-%m-%dT%H:%M:%SZ")
            return _stored(cloud, name, {**found, "state": "DELETED", "expireTime": expiry})
        case "POST", "undelete":
            kept = {field: value for field, value in found.items() if field != "expireTime"}
            return _stored(cloud, name, {**kept, "state": "ACTIVE"})
    raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {call.verb} {action} of {name}.")


def get_operation(cloud: Cloud, call: Call) -> Fields:
    parts = [call.path["pool"], *([call.path["provider"]] if "provider" in call.path else [])]
    name = (
        f"{_parent(cloud, call)}/workloadIdentityPools/{'/providers/'.join(parts)}/operations/{call.path['operation']}"
    )
    found = cloud.store.get(_OPERATIONS, name)
    if found is None:
        raise ApiError("NOT_FOUND", "Requested entity was not found.")
    return fields_of(found)


def find_provider(cloud: Cloud, name: str) -> Fields | None:
    """The provider, if it and its pool are not deleted; else None."""
    canonical = cloud.canonical(name)
    for part in (canonical.partition("/providers/")[0], canonical):
        found = cloud.store.get(_POOLS, part)
        fields = fields_of(found) if found is not None else {}
        if fields.get("state") != "ACTIVE" or fields.get("disabled"):
            return None
    return fields if "/providers/" in canonical else None


_ROOT = "/v1/projects/{project}/locations/global/workloadIdentityPools"
_PROVIDERS = f"{_ROOT}/{{pool}}/providers"
ROUTES: tuple[tuple[str, Callable[[Cloud, Call], Fields], str], ...] = (
    (_ROOT, create_pool, "POST"),
    (_ROOT, list_pools, "GET"),
    (f"{_ROOT}/{{pool}}", one, "GET POST PATCH DELETE"),
    (f"{_ROOT}/{{pool}}/operations/{{operation}}", get_operation, "GET"),
    (_PROVIDERS, create_provider, "POST"),
    (_PROVIDERS, list_providers, "GET"),
    (f"{_PROVIDERS}/{{provider}}", one, "GET POST PATCH DELETE"),
    (f"{_PROVIDERS}/{{provider}}/operations/{{operation}}", get_operation, "GET"),
)
"""Paths, handlers, and their verbs."""


def _parent(cloud: Cloud, call: Call) -> str:
    return cloud.canonical(f"projects/{call.path['project']}/locations/global")


def _check_provider(provider: Fields) -> None:
    """Raises ApiError for a faulty provider; GitHub's needs a condition, because its issuer serves all repositories."""
    check_names(provider, {*_PROVIDER_FIELDS, "name", "state"})
    sources = sorted(_SOURCES & provider.keys())
    if len(sources) != 1:
        raise ApiError(
            "INVALID_ARGUMENT", f"A provider has exactly one of {', '.join(sorted(_SOURCES))}; got {sources}."
        )
    if sources != ["oidc"]:
        return
    issuer = provider["oidc"].get("issuerUri", "")
    if not issuer.startswith("https://") or "google.subject" not in provider.get("attributeMapping", {}):
        raise ApiError("INVALID_ARGUMENT", "A provider needs oidc.issuerUri and a mapping of google.subject.")
    if issuer == _GITHUB and "assertion." not in provider.get("attributeCondition", ""):
        raise ApiError("INVALID_ARGUMENT", "The attribute condition must reference one of the provider's claims.")


def _patch(cloud: Cloud, name: str, found: Fields, call: Call) -> Fields:
    """Changes the fields of the mask, whose paths may name a part: `oidc.allowedAudiences`."""
    is_provider = "provider" in call.path
    known = _PROVIDER_FIELDS if is_provider else _POOL_FIELDS
    check_names(call.body, {*known, "name", "state"})
    changed = dict(found)
    paths = [_camel(path) for path in call.query.get("updateMask", "").split(",") if path]
    if not paths or any(path.partition(".")[0] not in known for path in paths):
        raise ApiError("INVALID_ARGUMENT", f"The update mask may name {', '.join(sorted(known))}; got {paths}.")
    for path in paths:
        field, _, part = path.partition(".")
        wanted = call.body.get(field)
        if part:
            wanted = {**changed.get(field, {}), part: (wanted or {}).get(part)}
            wanted = {name: value for name, value in wanted.items() if value not in (None, [], "")}
        changed.pop(field, None)
        if wanted:
            changed[field] = wanted
    if is_provider:
        _check_provider(changed)
    return _stored(cloud, name, changed)


def _camel(path: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), path.strip())


def _create(cloud: Cloud, collection: str, resource_id: str, body: Fields) -> Fields:
    if not _ID.fullmatch(resource_id):
        raise ApiError(
            "INVALID_ARGUMENT", f"{resource_id!r} is not an id: 4 to 32 of a-z, 0-9 and -, without gcp- in front."
        )
    name = f"{collection}/{resource_id}"
    if cloud.store.get(_POOLS, name) is not None:
        raise ApiError("ALREADY_EXISTS", "Requested entity already exists")
    return _stored(cloud, name, {**body, "name": name, "state": "ACTIVE"})


def _stored(cloud: Cloud, name: str, fields: Fields) -> Fields:
    """Stores the resource, and returns the finished operation with it."""
    kind = "WorkloadIdentityPoolProvider" if "/providers/" in name else "WorkloadIdentityPool"
    operation = {
        "name": f"{name}/operations/{cloud.ids.hex(16)}",
        "metadata": {"@type": f"type.googleapis.com/google.iam.v1.{kind}OperationMetadata"},
        "done": True,
        "response": {"@type": f"type.googleapis.com/google.iam.v1.{kind}", **fields},
    }
    with cloud.store.transaction():
        cloud.store.put(_POOLS, name, struct_of(fields))
        cloud.store.put(_OPERATIONS, str(operation["name"]), struct_of(operation))
    return operation


def _listed(cloud: Cloud, call: Call, collection: str, field: str) -> Fields:
    """Resources directly under `collection`; deleted ones with `showDeleted`."""
    items = cloud.store.items(_POOLS, collection)
    found = [fields_of(message) for name, message in items if "/" not in name.removeprefix(f"{collection}/")]
    shown = [item for item in found if item["state"] == "ACTIVE" or call.query.get("showDeleted") == "true"]
    return {field: shown} if shown else {}


def _require(cloud: Cloud, name: str) -> Fields:
    found = cloud.store.get(_POOLS, name)
    if found is None:
        raise ApiError("NOT_FOUND", "Requested entity was not found.")
    return fields_of(found)
