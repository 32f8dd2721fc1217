"""The JSON API's methods without object bytes: one table, for single requests and for batches."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from localcloud.services.storage import (
    access_controls,
    bucket_policies,
    buckets,
    object_listing,
    objects,
    storage_access,
)
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.partial_response import select
from localcloud.services.storage.storage_errors import invalid, not_implemented

PREFIX = "/storage/v1"

Operation = Callable[[Call, Backend], Reply]

_OPERATIONS: tuple[tuple[str, str, Operation], ...] = (
    ("POST", "/b", buckets.insert_bucket),
    ("GET", "/b", buckets.list_buckets),
    ("GET", "/b/{bucket}", buckets.get_bucket),
    ("PATCH", "/b/{bucket}", buckets.patch_bucket),
    ("PUT", "/b/{bucket}", buckets.update_bucket),
    ("DELETE", "/b/{bucket}", buckets.delete_bucket),
    ("POST", "/b/{bucket}/lockRetentionPolicy", buckets.lock_retention_policy),
    ("GET", "/b/{bucket}/storageLayout", buckets.storage_layout),
    ("GET", "/b/{bucket}/managedFolders", buckets.managed_folders),
    ("GET", "/projects/{project}/serviceAccount", buckets.service_account),
    ("GET", "/b/{bucket}/iam", bucket_policies.get_policy),
    ("PUT", "/b/{bucket}/iam", bucket_policies.set_policy),
    ("GET", "/b/{bucket}/iam/testPermissions", bucket_policies.test_permissions),
    ("GET", "/b/{bucket}/acl", access_controls.list_entries),
    ("POST", "/b/{bucket}/acl", access_controls.insert_entry),
    ("GET", "/b/{bucket}/acl/{entity}", access_controls.get_entry),
    ("PUT", "/b/{bucket}/acl/{entity}", access_controls.update_entry),
    ("PATCH", "/b/{bucket}/acl/{entity}", access_controls.update_entry),
    ("DELETE", "/b/{bucket}/acl/{entity}", access_controls.delete_entry),
    ("GET", "/b/{bucket}/o", object_listing.list_objects),
    ("GET", "/b/{bucket}/o/{object}", objects.get_object),
    ("PATCH", "/b/{bucket}/o/{object}", objects.patch_object),
    ("PUT", "/b/{bucket}/o/{object}", objects.update_object),
    ("DELETE", "/b/{bucket}/o/{object}", objects.delete_object),
    ("POST", "/b/{bucket}/o/{object}/compose", objects.compose),
    ("POST", "/b/{bucket}/o/{object}/restore", objects.restore),
    ("POST", "/b/{bucket}/o/{object}/copyTo/b/{to_bucket}/o/{to_object}", objects.copy),
    ("POST", "/b/{bucket}/o/{object}/rewriteTo/b/{to_bucket}/o/{to_object}", objects.rewrite),
)


def path_pattern(template: str) -> re.Pattern[str]:
    """A pattern for a percent-encoded path, in which a name never contains a slash."""
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template) + "/?$")


_COMPILED = tuple((method, path_pattern(PREFIX + path), operation) for method, path, operation in _OPERATIONS)


def run(call: Call, backend: Backend) -> Reply:
    """Answers a call. Raises StorageError: 501 for a method that the local Cloud Storage does not implement."""
    for method, pattern, operation in _COMPILED:
        match = pattern.match(call.path)
        if match is not None and method == call.method:
            names = {name: decode_name(value) for name, value in match.groupdict().items()}
            named = Call(**{**vars(call), "names": names})
            with backend.database.transaction() as transaction:
                storage_access.ask(backend.access, transaction, operation.__name__, named)
            reply = operation(named, backend)
            fields = call.query.get("fields")
            return Reply(select(reply.resource, fields), reply.status) if fields and reply.resource else reply
    raise not_implemented(f"{call.method} {call.path}")


def decode_name(encoded: str) -> str:
    """The decoded name. Raises StorageError (400) if it is not UTF-8."""
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise invalid(f"Invalid name: {encoded} is not UTF-8.") from None
