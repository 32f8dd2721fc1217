"""IAM policies of buckets: get, set, test permissions."""

import re
from dataclasses import replace
from typing import Any

from localcloud.services.iam.deleted_members import replaced
from localcloud.services.storage import bucket_rows
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bucket_checks import check_public
from localcloud.services.storage.bucket_rows import BucketRow, existing_bucket
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.resources import bucket_etag
from localcloud.services.storage.storage_access import object_subject
from localcloud.services.storage.storage_errors import StorageError, invalid, precondition_failed, required

_MEMBER = re.compile(
    r"allUsers$|allAuthenticatedUsers$|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer"
    r"|deleted:user|deleted:serviceAccount|deleted:group|principal|principalSet):.+"
)
_ROLE = re.compile(r"(projects/[^/]+/|organizations/[^/]+/)?roles/[A-Za-z0-9_.]+$")
_CONDITIONS_NEED_VERSION = 3


def first_policy(project: str, *, uniform: bool = False) -> dict[str, Any]:
    """The policy of a new bucket; with uniform access, it includes the roles that replace lists of objects."""
    owners, viewers = [f"projectEditor:{project}", f"projectOwner:{project}"], [f"projectViewer:{project}"]
    bindings = [
        {"role": "roles/storage.legacyBucketOwner", "members": owners},
        {"role": "roles/storage.legacyBucketReader", "members": viewers},
    ]
    if uniform:
        bindings += [
            {"role": "roles/storage.legacyObjectOwner", "members": owners},
            {"role": "roles/storage.legacyObjectReader", "members": viewers},
        ]
    return {"version": 1, "bindings": bindings}


def get_policy(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        return Reply(_shown(existing_bucket(transaction, call.names["bucket"])))


def set_policy(call: Call, backend: Backend) -> Reply:
    """Sets a bucket's policy. Raises StorageError (412) if the policy was changed after the caller read it."""
    resource = call.resource()
    bindings = resource.get("bindings", [])
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
        if resource.get("etag") and resource["etag"] != bucket_etag(bucket):
            raise precondition_failed()
        policy = {"version": int(resource.get("version", 1)), "bindings": bindings}
        _check(policy, bucket)
        # As IAM answers: version 3 if the policy has conditions, independent of the requested version.
        policy["version"] = _CONDITIONS_NEED_VERSION if any("condition" in binding for binding in bindings) else 1
        for binding in bindings:
            expression = str((binding.get("condition") or {}).get("expression", ""))
            backend.access.check_binding(binding["role"], binding.get("members", []), expression)
        bucket = replace(bucket, policy=policy, metageneration=bucket.metageneration + 1, updated=backend.time())
        bucket_rows.save_bucket(transaction, bucket)
    return Reply(_shown(bucket))


def test_permissions(call: Call, backend: Backend) -> Reply:
    """The permissions among the requested ones that the caller has."""
    with backend.database.transaction() as transaction:
        subject = object_subject(transaction, call.names["bucket"], "")
    permissions = call.query.getlist("permissions")
    if not permissions:
        raise required("permissions")
    for permission in permissions:
        if not permission.startswith("storage."):
            raise invalid(f"Invalid permission: {permission}")
    held = [permission for permission in permissions if backend.access.allows(permission, subject)]
    return Reply({"kind": "storage#testIamPermissionsResponse", "permissions": held})


def rename_member(backend: Backend, old: str, new: str) -> None:
    """Renames a service account, after its deletion or undeletion, in the policies of all buckets."""
    with backend.database.transaction() as transaction:
        for bucket in bucket_rows.all_buckets(transaction):
            bindings = [
                {**binding, "members": replaced(binding.get("members", []), old, new)}
                for binding in bucket.policy["bindings"]
            ]
            if bindings != bucket.policy["bindings"]:
                bucket_rows.save_bucket(transaction, replace(bucket, policy={**bucket.policy, "bindings": bindings}))


def _shown(bucket: BucketRow) -> dict[str, Any]:
    return {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{bucket.name}",
        "etag": bucket_etag(bucket),
        **bucket.policy,
    }


def _check(policy: dict[str, Any], bucket: BucketRow) -> None:
    for binding in policy["bindings"]:
        if not _ROLE.match(str(binding.get("role", ""))):
            raise invalid(f"Invalid argument: {binding.get('role')!r} is no role. Roles look like roles/storage.admin.")
        for member in binding.get("members", []):
            if not _MEMBER.match(member):
                raise invalid(f"Invalid argument: {member!r} is no member. Members look like user:name@example.com.")
        check_public(binding.get("members", []), bucket.settings)
        # As googleapis/python-storage expects it, `test_bucket_get_set_iam_policy`, read in November 2026.
        if "condition" in binding and not bucket.uniform_access:
            message = "To set IAM conditions on a bucket, enable uniform bucket-level access on it."
            raise StorageError(412, "conditionNotMet", message, "PreconditionFailed")
        if "condition" in binding and policy["version"] < _CONDITIONS_NEED_VERSION:
            raise invalid("The version of a policy with conditions has to be at least 3.")
