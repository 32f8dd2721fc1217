"""Permissions in Cloud Storage: those that each request asks for, and how it is refused.

Refusals are worded as the service was recorded to word them (2024-08 to 2026-08): "ACCOUNT does not have
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

# By the function that carries it out: the method in permissions.yaml.
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
    """The resource of a permission check: a project, a bucket in it, or an object in that."""

    project: str
    """An id or a number."""
    bucket: BucketRow | None = None
    name: str = ""
    """Of the object; "" = the bucket itself."""
    listed: str = ""
    """Prefix of the names that are listed."""

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
        """The current caller's address, "" when it is anonymous."""

    def allows(self, permission: str, subject: Subject) -> bool:
        """Whether the current caller has the permission there."""

    def check_binding(self, role: str, members: Iterable[str], condition: str) -> None:
        """Raises StorageError (400, 501) for a binding that no policy can hold."""


class OpenAccess:
    """Lets everybody do everything: a Cloud Storage without a cloud around it has no accounts."""

    def authenticate(self, authorization: str) -> str:
        return ""

    def account(self) -> str:
        return ""

    def allows(self, permission: str, subject: Subject) -> bool:
        return True

    def check_binding(self, role: str, members: Iterable[str], condition: str) -> None:
        """Every binding is taken."""


def ask(access: Access, transaction: Transaction, operation: str, call: Call) -> None:
    """Raises StorageError (401, 403) unless the caller may make the call that the function `operation` carries out."""
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
    """The same for what moves bytes: `method` as permissions.yaml has it, without the service."""
    subject = object_subject(transaction, bucket, name)
    for permission in permission_table.methods()[f"storage/{method}"].permissions:
        require(access, permission, subject)


def object_subject(transaction: Transaction, bucket: str, name: str) -> Subject:
    """Raises StorageError (404) where the bucket does not exist: no permission is needed to learn that."""
    row = existing_bucket(transaction, bucket)
    return Subject(row.project, row, name)


def require(access: Access, permission: str, subject: Subject) -> None:
    """Raises StorageError (401, 403)."""
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
    """Permissions on other objects than the one in the path."""
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
