"""Creates, replaces and deletes versions of an object, in one transaction with the check of the conditions."""

from dataclasses import replace
from typing import Any

from localcloud.services.storage import object_rows, soft_delete
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bucket_rows import BucketRow, existing_bucket
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.object_rows import Content, ObjectRow
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.resources import object_state
from localcloud.services.storage.retention import changed, check_removable
from localcloud.services.storage.storage_access import Subject, require
from localcloud.services.storage.storage_errors import object_not_found


def create_version(
    transaction: Transaction,
    backend: Backend,
    bucket_name: str,
    name: str,
    content: Content,
    settings: dict[str, Any],
    preconditions: Preconditions,
) -> ObjectRow:
    """Makes `content` the live version. Raises StorageError: 404 without the bucket, 412, 403 if protected."""
    bucket = existing_bucket(transaction, bucket_name)
    live = object_rows.find_object(transaction, bucket_name, name)
    preconditions.check(object_state(live))
    if live is not None:
        require(backend.access, "storage.objects.delete", Subject(bucket.project, bucket, name))
        _retire(transaction, backend, bucket, live)
    generation = object_rows.next_generation(transaction, backend.clock())
    complete = {"storageClass": bucket.settings["storageClass"], **settings}
    if bucket.settings.get("defaultEventBasedHold"):
        complete = {"eventBasedHold": True, **complete}
    complete = changed({}, complete, backend.clock(), enabled=bucket.object_retention, override=False)
    return object_rows.insert_object(transaction, bucket_name, name, generation, backend.time(), content, complete)


def delete_version(
    transaction: Transaction,
    backend: Backend,
    bucket_name: str,
    name: str,
    generation: int | None,
    preconditions: Preconditions,
) -> None:
    """Deletes a generation or, without one, the live version, which a versioned bucket keeps as noncurrent."""
    bucket = existing_bucket(transaction, bucket_name)
    row = existing_version(transaction, bucket_name, name, generation)
    preconditions.check(object_state(row))
    if generation is None:
        _retire(transaction, backend, bucket, row)
    else:
        check_removable(row, backend.clock())
        soft_delete.remove(transaction, backend, bucket, row)


def existing_version(transaction: Transaction, bucket: str, name: str, generation: int | None = None) -> ObjectRow:
    """A version, live without `generation`. Raises StorageError (404) if the bucket or the version does not exist."""
    existing_bucket(transaction, bucket)
    row = object_rows.find_object(transaction, bucket, name, generation)
    if row is None:
        raise object_not_found(bucket, name)
    return row


def _retire(transaction: Transaction, backend: Backend, bucket: BucketRow, live: ObjectRow) -> None:
    check_removable(live, backend.clock())
    if bucket.versioned:
        object_rows.save_object(transaction, replace(live, time_deleted=backend.time()))
    else:
        soft_delete.remove(transaction, backend, bucket, live)
