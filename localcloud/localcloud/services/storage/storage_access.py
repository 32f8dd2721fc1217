"""Permissions in Cloud Storage: those that each request needs, and its refusal.

Refusals have the recorded wording of the service (2024-08 to 2026-08): "ACCOUNT does not have
storage.objects.list access to the Google Cloud Storage bucket. Permission 'storage.objects.list' denied on resource (or
it may not exist)."
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from localcloud.core.permissions import permission_table
from localcloud.services.storage.bucket_rows import BucketRow, existing_bucket
from localcloud.services.storage.calls import Call
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.storage_errors import StorageError, not_implemented

# By the name of the function that implements it: the method in permissions.yaml.
_METHODS = {
    "insert_bucket": "buckets.insert",
    "list_buckets": "buckets.list",
    "get_bucket": "buckets.get",
    "patch_bucket": "buckets.patch",
    "update_bucket": "buckets.update",
    "delete_bucket": "buckets.delete",
    "lock_retention_policy": "buckets.lockRetentionPolicy",
    "storage_layout": "buckets.getStorageLayout",
    "managed_folders": "managedFolders.list",
    "service_account": "projects.serviceAccount.get",
    "get_policy": "buckets.getIamPolicy",
    "set_policy": "buckets.setIamPolicy",
    "test_permissions": "buckets.testIamPermissions",
    "list_entries": "bucketAccessControls.read",
    "get_entry": "bucketAccessControls.read",
    "insert_entry": "bucketAccessControls.write",
    "update_entry": "bucketAccessControls.write",
    "delete_entry": "bucketAccessControls.write",
    "list_objects": "objects.list",
    "get_object": "objects.get",
    "patch_object": "objects.patch",
    "update_object": "objects.update",
    "delete_object": "objects.delete",
    "compose": "objects.insert",
    "restore": "objects.restore",
    "copy": "objects.copy",
    "rewrite": "objects.copy",
}
_ACCESS_FIELDS = ("acl", "defaultObjectAcl")


@dataclass(frozen=True)
class Subject:
    """The resource of a permission check: a project, a bucket, or an object."""

    project: str
    """The project's id or number."""
    bucket: BucketRow | None = None
    name: str = ""
    """The object's name; "": the bucket itself."""
    listed: str = ""
    """Prefix of the names in a list request."""

    @property
    def kind(self) -> str:
        if self.bucket is None:
            return "Google Cloud project"
        return "Google Cloud Storage object" if self.name else "Google Cloud Storage bucket"


class Access(Protocol):
    """Decides permissions, by the policies of a cloud."""

    def authenticate(self, authorization: str) -> str:
        """The caller of a request with that header; "" is anonymous. Raises StorageError (401)."""

    def account(self) -> str:
        """The current caller's e-mail address; "": an anonymous caller."""

    def allows(self, permission: str, subject: Subject) -> bool:
        """Whether the current caller has the permission on `subject`."""

    def check_binding(self, role: str, members: Iterable[str], condition: str) -> None:
        """Raises StorageError (400, 501) for an invalid binding."""


class OpenAccess:
    """Allows every request: a Cloud Storage outside a local cloud has no accounts."""

    def authenticate(self, authorization: str) -> str:
        return ""

    def account(self) -> str:
        return ""

    def allows(self, permission: str, subject: Subject) -> bool:
        return True

    def check_binding(self, role: str, members: Iterable[str], condition: str) -> None:
        """Accepts every binding."""


def ask(access: Access, transaction: Transaction, operation: str, call: Call) -> None:
    """Raises StorageError (401, 403) unless the caller may make a call of the function `operation`."""
    if operation not in _METHODS:
        raise not_implemented(f"permissions of {operation}")
    method = _METHODS[operation]
    asked = permission_table.methods()[f"storage/{method}"]
    if not asked.on:
        return
    subject = _subject(transaction, asked.on, call)
    for permission in (*asked.permissions, *_more(method, subject, call)):
        require(access, permission, subject)
    for permission, other in _others(transaction, operation, call):
        require(access, permission, other)


def ask_object(access: Access, transaction: Transaction, method: str, bucket: str, name: str = "") -> None:
    """Like `ask`, for methods that transfer bytes. `method`: its name in permissions.yaml without the service."""
    subject = object_subject(transaction, bucket, name)
    for permission in permission_table.methods()[f"storage/{method}"].permissions:
        require(access, permission, subject)


def object_subject(transaction: Transaction, bucket: str, name: str) -> Subject:
    """The subject of a bucket or object. Raises StorageError (404) for a missing bucket, without a permission check."""
    row = existing_bucket(transaction, bucket)
    return Subject(row.project, row, name)


def require(access: Access, permission: str, subject: Subject) -> None:
    """Raises StorageError unless the caller has the permission: 401 if the caller is anonymous, else 403."""
    if access.allows(permission, subject):
        return
    account = access.account()
    message = (
        f"{account or 'Anonymous caller'} does not have {permission} access to the {subject.kind}. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )
    if not account:
        raise StorageError(401, "required", message, "AccessDenied")
    raise StorageError(403, "forbidden", message, "AccessDenied")


def _subject(transaction: Transaction, on: str, call: Call) -> Subject:
    if on == "project":
        return Subject(call.query.get("project") or call.names.get("project", ""))
    subject = object_subject(transaction, call.names["bucket"], call.names["object"] if on == "object" else "")
    return replace(subject, listed=call.query.get("prefix", ""))


def _more(method: str, subject: Subject, call: Call) -> Iterator[str]:
    """Permissions that only some requests of a method need (JSON API reference, footnotes of "IAM permissions")."""
    collection = method.partition(".")[0]
    full = call.query.get("projection") == "full"
    fine_grained = subject.bucket is None or not subject.bucket.uniform_access
    if full and method != "buckets.list" and (collection == "buckets" or (collection == "objects" and fine_grained)):
        yield f"storage.{collection}.getIamPolicy"
    if method in ("buckets.patch", "buckets.update"):
        resource = call.resource()
        configuration = resource.get("iamConfiguration") or {}
        if "publicAccessPrevention" in configuration or any(field in resource for field in _ACCESS_FIELDS):
            yield "storage.buckets.setIamPolicy"
    if method == "buckets.insert" and call.flag("enableObjectRetention"):
        yield "storage.buckets.enableObjectRetention"
    if method in ("objects.patch", "objects.update") and "retention" in call.resource():
        yield "storage.objects.setRetention"
        if call.flag("overrideUnlockedRetention"):
            yield "storage.objects.overrideUnlockedRetention"


def _others(transaction: Transaction, operation: str, call: Call) -> Iterator[tuple[str, Subject]]:
    """Permissions on objects other than the one in the path."""
    names: Mapping[str, str] = call.names
    if operation in ("copy", "rewrite"):
        yield "storage.objects.create", object_subject(transaction, names["to_bucket"], names["to_object"])
    if operation == "compose":
        resource: dict[str, Any] = call.resource()
        for source in resource.get("sourceObjects") or ():
            subject = object_subject(transaction, names["bucket"], str(source.get("name", "")))
            yield "storage.objects.get", subject
            if resource.get("deleteSourceObjects"):
                yield "storage.objects.delete", subject
