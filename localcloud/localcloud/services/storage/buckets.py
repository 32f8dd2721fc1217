"""Buckets of the JSON API: insert, list, get, patch, update, delete."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localcloud.services.storage import bucket_rows, soft_delete
from localcloud.services.storage.access_controls import access_controls, default_object_controls, with_list
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bucket_checks import check_bucket
from localcloud.services.storage.bucket_defaults import complete
from localcloud.services.storage.bucket_policies import first_policy
from localcloud.services.storage.bucket_rows import BucketRow, existing_bucket
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.locations import checked_location, location_type
from localcloud.services.storage.name_rules import checked_bucket_name
from localcloud.services.storage.object_listing import decode_page_token, encode_page_token
from localcloud.services.storage.resources import bucket_resource, bucket_state
from localcloud.services.storage.settings import BUCKET_FIELDS, bucket_settings, merge
from localcloud.services.storage.storage_errors import (
    bucket_already_owned,
    bucket_name_unavailable,
    bucket_not_empty,
    invalid,
    required,
)

_PROJECTIONS = ("noAcl", "full")


def insert_bucket(call: Call, backend: Backend) -> Reply:
    resource = call.resource()
    project = _project(call)
    name = checked_bucket_name(str(resource.get("name", "")))
    location = checked_location(str(resource.get("location", "US")))
    time = backend.time()
    settings = complete(bucket_settings(resource), {}, backend.clock())
    if call.flag("enableObjectRetention"):
        settings["objectRetention"] = {"mode": "Enabled"}
    check_bucket(settings, location_type(location, settings))
    bucket = BucketRow(
        name=name,
        project=project,
        project_number=backend.project_number(project),
        location=location,
        metageneration=1,
        time_created=time,
        updated=time,
        settings=settings,
        policy=first_policy(project, uniform=settings["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]),
    )
    bucket = with_list(bucket, resource, call.query)
    with backend.database.transaction() as transaction:
        existing = bucket_rows.find_bucket(transaction, name)
        if existing is not None:
            same_owner = existing.project_number == bucket.project_number
            raise bucket_already_owned() if same_owner else bucket_name_unavailable()
        bucket_rows.save_bucket(transaction, bucket)
    return Reply(_shown(bucket, call, "full" if "acl" in resource else "noAcl"))


def list_buckets(call: Call, backend: Backend) -> Reply:
    project_number = backend.project_number(_project(call))
    size = call.page_size()
    after = str(decode_page_token(call.query.get("pageToken"))[0])
    with backend.database.transaction() as transaction:
        prefix = call.query.get("prefix", "")
        buckets = bucket_rows.buckets_of_project(transaction, project_number, prefix, after, size + 1)
    page: dict[str, Any] = {"kind": "storage#buckets"}
    if buckets:
        page["items"] = [_shown(bucket, call, "noAcl") for bucket in buckets[:size]]
    if len(buckets) > size:
        page["nextPageToken"] = encode_page_token(buckets[size - 1].name, 0)
    return Reply(page)


def get_bucket(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
    call.preconditions().check(bucket_state(bucket), reading=True)
    return Reply(_shown(bucket, call, "noAcl"))


def patch_bucket(call: Call, backend: Backend) -> Reply:
    patch = {name: value for name, value in call.resource().items() if name in BUCKET_FIELDS}
    return _change(call, backend, lambda settings: merge(settings, patch))


def update_bucket(call: Call, backend: Backend) -> Reply:
    resource = call.resource()
    return _change(call, backend, lambda _: resource)


def lock_retention_policy(call: Call, backend: Backend) -> Reply:
    """Locks the bucket's retention policy for ever: its period can then only grow."""
    if call.number("ifMetagenerationMatch") is None:
        raise required("ifMetagenerationMatch")
    with backend.database.transaction() as transaction:
        before = existing_bucket(transaction, call.names["bucket"])
        call.preconditions().check(bucket_state(before))
        policy = before.settings.get("retentionPolicy")
        if policy is None:
            raise invalid("The bucket has no Retention Policy to lock.")
        settings = {**before.settings, "retentionPolicy": {**policy, "isLocked": True}}
        bucket = replace(before, settings=settings, metageneration=before.metageneration + 1, updated=backend.time())
        bucket_rows.save_bucket(transaction, bucket)
    return Reply(_shown(bucket, call, "full"))


def delete_bucket(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
        call.preconditions().check(bucket_state(bucket))
        if not bucket_rows.is_empty(transaction, bucket.name):
            raise bucket_not_empty()
        soft_delete.forget_bucket(transaction, bucket.name)
        bucket_rows.remove_bucket(transaction, bucket.name)
    return Reply(None, 204)


def storage_layout(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        bucket = existing_bucket(transaction, call.names["bucket"])
    shown = bucket_resource(bucket, call.base_url)
    layout = {name: shown[name] for name in ("location", "locationType")}
    return Reply({"kind": "storage#storageLayout", "bucket": bucket.name, **layout})


def managed_folders(call: Call, backend: Backend) -> Reply:
    """An empty list: the local Cloud Storage cannot create managed folders."""
    with backend.database.transaction() as transaction:
        existing_bucket(transaction, call.names["bucket"])
    return Reply({"kind": "storage#managedFolders"})


def service_account(call: Call, backend: Backend) -> Reply:
    number = backend.project_number(call.names["project"])
    address = f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
    return Reply({"kind": "storage#serviceAccount", "email_address": address})


def _change(call: Call, backend: Backend, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Reply:
    with backend.database.transaction() as transaction:
        before = existing_bucket(transaction, call.names["bucket"])
        call.preconditions().check(bucket_state(before))
        settings = complete(bucket_settings(change(before.settings)), before.settings, backend.clock())
        check_bucket(settings, location_type(before.location, settings))
        bucket = replace(before, settings=settings, metageneration=before.metageneration + 1, updated=backend.time())
        bucket = with_list(bucket, call.resource(), call.query)
        if call.method == "PATCH" and not call.resource():
            # Recorded: an empty patch changes nothing, not even the metageneration.
            bucket = before
        bucket_rows.save_bucket(transaction, bucket)
    return Reply(_shown(bucket, call, "full"))


def _shown(bucket: BucketRow, call: Call, usual: str) -> dict[str, Any]:
    """The bucket in the call's projection, or without one in the method's default `usual`."""
    projection = call.query.get("projection") or usual
    if projection not in _PROJECTIONS:
        raise invalid(f"Invalid value for projection: {projection!r} is neither noAcl nor full.")
    resource = bucket_resource(bucket, call.base_url)
    if projection == "noAcl" or bucket.uniform_access:
        return resource
    return {
        **resource,
        "acl": access_controls(bucket, call.base_url),
        "defaultObjectAcl": default_object_controls(bucket),
        "owner": {"entity": f"project-owners-{bucket.project_number}"},
    }


def _project(call: Call) -> str:
    project = call.query.get("project")
    if not project:
        raise required("project")
    return project
