"""Access control lists of buckets: another form of the legacy roles in a bucket's IAM policy.

Only the policy is stored: the entry OWNER is the role `roles/storage.legacyBucketOwner`, and so on
(cloud.google.com/storage/docs/access-control/iam#acls).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from localcloud.services.storage import bucket_rows
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bucket_checks import check_public
from localcloud.services.storage.bucket_rows import BucketRow, existing_bucket
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.resources import bucket_etag
from localcloud.services.storage.storage_errors import StorageError, invalid, not_implemented, required

Policy = dict[str, Any]
Entries = dict[str, str]
"""Role (OWNER, WRITER or READER) by entity."""

_ROLES = {
    "OWNER": "roles/storage.legacyBucketOwner",
    "WRITER": "roles/storage.legacyBucketWriter",
    "READER": "roles/storage.legacyBucketReader",
}
_TEAMS = {"projectOwner": "owners", "projectEditor": "editors", "projectViewer": "viewers"}
_PROJECT_ENTITY = re.compile(r"project-(owners|editors|viewers)-(.+)$")
_ENTITY = re.compile(r"(user|group)-[^@]+@.+$|domain-.+$|allUsers$|allAuthenticatedUsers$")
_UNIFORM = (
    "that has uniform bucket-level access. "
    "Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access"
)


def insert_entry(call: Call, backend: Backend) -> Reply:
    resource = call.resource()
    entity = str(resource.get("entity", ""))
    if not entity:
        raise required("entity")
    return _write(call, backend, entity, resource.get("role"))


def update_entry(call: Call, backend: Backend) -> Reply:
    """PUT and PATCH of an entry: only the role can change."""
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
        role = _entry(entries_of(bucket), call.names["entity"])
    return _write(call, backend, call.names["entity"], call.resource().get("role", role))


def list_entries(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
    _check_fine_grained(bucket, "list")
    return Reply({"kind": "storage#bucketAccessControls", "items": access_controls(bucket, call.base_url)})


def get_entry(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
    _check_fine_grained(bucket, "get")
    entity = call.names["entity"]
    return Reply(_shown(bucket, entity, _entry(entries_of(bucket), entity), call.base_url))


def delete_entry(call: Call, backend: Backend) -> Reply:
    def without(entries: Entries) -> Entries:
        _entry(entries, call.names["entity"])
        return {entity: role for entity, role in entries.items() if entity != call.names["entity"]}

    _change(call, backend, without)
    return Reply(None, 204)


def with_list(bucket: BucketRow, resource: dict[str, Any], query: Mapping[str, str]) -> BucketRow:
    """`bucket` with the list in a call's body. Raises StorageError: 400, or 501 for other ways to give a list."""
    # A client that writes a whole bucket back sends the list that it read.
    if resource.get("defaultObjectAcl") and _roles(resource["defaultObjectAcl"]) != _roles(
        default_object_controls(bucket)
    ):
        raise not_implemented("changes of the default object access control list")
    for parameter in ("predefinedAcl", "predefinedDefaultObjectAcl"):
        if query.get(parameter):
            raise not_implemented(f"the parameter {parameter}; send the list, or use uniform bucket-level access")
    if not resource.get("acl"):
        return bucket
    _check_fine_grained(bucket, "update")
    entries = {str(entry.get("entity", "")): _role(entry.get("entity"), entry.get("role")) for entry in resource["acl"]}
    return replace(bucket, policy=_with_entries(bucket, entries))


def access_controls(bucket: BucketRow, base_url: str) -> list[dict[str, Any]]:
    """The access control list as `projection=full` shows it."""
    return [_shown(bucket, entity, role, base_url) for entity, role in entries_of(bucket).items()]


def default_object_controls(bucket: BucketRow) -> list[dict[str, Any]]:
    """The list `projectPrivate` of a new bucket, which cannot be changed in the local Cloud Storage."""
    roles = {"owners": "OWNER", "editors": "OWNER", "viewers": "READER"}
    return [
        {
            "kind": "storage#objectAccessControl",
            "entity": f"project-{team}-{bucket.project_number}",
            "role": role,
            "projectTeam": {"projectNumber": str(bucket.project_number), "team": team},
            "etag": bucket_etag(bucket),
        }
        for team, role in roles.items()
    ]


def entries_of(bucket: BucketRow) -> Entries:
    """Role by entity, from the policy's legacy roles, owners first."""
    entries: Entries = {}
    for role, name in _ROLES.items():
        for binding in bucket.policy["bindings"]:
            if binding["role"] == name and "condition" not in binding:
                members = sorted(binding.get("members", []), key=lambda member: not member.startswith("projectOwner"))
                entries.update({_entity(member, bucket): role for member in members})
    return entries


def _with_entries(bucket: BucketRow, entries: Entries) -> Policy:
    """The bucket's policy with `entries` as its legacy roles; other bindings stay.

    Raises StorageError (412) for `allUsers` or `allAuthenticatedUsers` in a bucket that prevents public access.
    """
    check_public(entries, bucket.settings)
    others = [binding for binding in bucket.policy["bindings"] if binding["role"] not in _ROLES.values()]
    legacy = []
    for role, name in _ROLES.items():
        members = sorted(_member(entity, bucket.project) for entity, given in entries.items() if given == role)
        if members:
            legacy.append({"role": name, "members": members})
    return {**bucket.policy, "bindings": [*legacy, *others]}


def _write(call: Call, backend: Backend, entity: str, role: Any) -> Reply:
    checked = _role(entity, role)
    bucket = _change(call, backend, lambda entries: {**entries, entity: checked})
    return Reply(_shown(bucket, entity, checked, call.base_url))


def _roles(entries: list[dict[str, Any]]) -> dict[Any, Any]:
    return {entry.get("entity"): entry.get("role") for entry in entries}


def _role(entity: Any, role: Any) -> str:
    """Returns `role` if Cloud Storage accepts the entry. Raises StorageError (400)."""
    if not (_ENTITY.match(str(entity)) or _PROJECT_ENTITY.match(str(entity))):
        raise invalid(f"Could not parse entity {entity!r}; entities look like user-name@example.com or allUsers.")
    if role not in _ROLES:
        raise invalid(f"Invalid argument: role {role!r}; a bucket's entry has one of {', '.join(_ROLES)}.")
    return str(role)


def _change(call: Call, backend: Backend, change: Callable[[Entries], Entries]) -> BucketRow:
    with backend.database.transaction() as transaction:
        before = existing_bucket(transaction, call.names["bucket"])
        _check_fine_grained(before, "update")
        policy = _with_entries(before, change(entries_of(before)))
        bucket = replace(before, policy=policy, metageneration=before.metageneration + 1, updated=backend.time())
        bucket_rows.save_bucket(transaction, bucket)
    return bucket


def _entry(entries: Entries, entity: str) -> str:
    if entity not in entries:
        raise StorageError(404, "notFound", "The specified key does not exist.", "NoSuchKey")
    return entries[entity]


def _check_fine_grained(bucket: BucketRow, action: str) -> None:
    if bucket.uniform_access:
        raise invalid(f"Cannot {action} legacy ACL for a bucket {_UNIFORM}")


def _shown(bucket: BucketRow, entity: str, role: str, base_url: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": "storage#bucketAccessControl",
        "id": f"{bucket.name}/{entity}",
        "selfLink": f"{base_url}/storage/v1/b/{bucket.name}/acl/{quote(entity, safe='@')}",
        "bucket": bucket.name,
        "entity": entity,
        "role": role,
        "etag": bucket_etag(bucket),
    }
    kind, _, name = entity.partition("-")
    match kind:
        case "project":
            team, _, number = name.partition("-")
            entry["projectTeam"] = {"projectNumber": number, "team": team}
        case "user" | "group":
            entry["email"] = name
        case "domain":
            entry["domain"] = name
    return entry


def _entity(member: str, bucket: BucketRow) -> str:
    """The entity of a policy's member: `serviceAccount:x` becomes `user-x`."""
    kind, _, name = member.partition(":")
    if kind in _TEAMS:
        return f"project-{_TEAMS[kind]}-{bucket.project_number}"
    return f"{'user' if kind == 'serviceAccount' else kind}-{name}" if name else member


def _member(entity: str, project: str) -> str:
    if match := _PROJECT_ENTITY.match(entity):
        kind = next(kind for kind, team in _TEAMS.items() if team == match[1])
        return f"{kind}:{project}"
    kind, _, name = entity.partition("-")
    if not name:
        return entity
    return f"serviceAccount:{name}" if name.endswith(".gserviceaccount.com") else f"{kind}:{name}"
