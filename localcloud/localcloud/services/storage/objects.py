"""Methods of the JSON API on objects, without bytes: get, patch, update, delete, compose, copy, rewrite."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localcloud.services.storage import object_rows, soft_delete
from localcloud.services.storage.backend import Backend
from localcloud.services.storage.bucket_rows import existing_bucket
from localcloud.services.storage.calls import Call, Reply
from localcloud.services.storage.checksums import combine_crc32c
from localcloud.services.storage.database import Transaction
from localcloud.services.storage.name_rules import checked_object_name
from localcloud.services.storage.object_rows import Content, ObjectRow
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.resources import object_resource, object_state
from localcloud.services.storage.retention import changed
from localcloud.services.storage.settings import OBJECT_FIELDS, merge, object_settings
from localcloud.services.storage.storage_errors import invalid, object_not_found, required
from localcloud.services.storage.versions import create_version, delete_version, existing_version

# cloud.google.com/storage/docs/composite-objects: "You can compose between 1 and 32 objects in a single request".
_MOST_SOURCES = 32


def get_object(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        row = _named(transaction, call)
    call.preconditions().check(object_state(row), reading=True)
    return Reply(object_resource(row, call.base_url))


def patch_object(call: Call, backend: Backend) -> Reply:
    patch = {name: value for name, value in call.resource().items() if name in OBJECT_FIELDS}
    return _change(call, backend, lambda settings: merge(settings, patch))


def update_object(call: Call, backend: Backend) -> Reply:
    resource = call.resource()
    return _change(call, backend, lambda settings: {"storageClass": settings["storageClass"], **resource})


def delete_object(call: Call, backend: Backend) -> Reply:
    with backend.database.transaction() as transaction:
        names = (call.names["bucket"], call.names["object"])
        delete_version(transaction, backend, *names, call.number("generation"), call.preconditions())
    return Reply(None, 204)


def compose(call: Call, backend: Backend) -> Reply:
    resource = call.resource()
    sources = resource.get("sourceObjects") or []
    if not 1 <= len(sources) <= _MOST_SOURCES:
        raise invalid(
            f"The number of source components provided ({len(sources)}) is not between 1 and {_MOST_SOURCES}."
        )
    bucket, name = call.names["bucket"], checked_object_name(call.names["object"])
    with backend.database.transaction() as transaction:
        rows = [_source(transaction, bucket, source) for source in sources]
        content = _joined([object_rows.content_of(transaction, row) for row in rows])
        settings = object_settings(resource.get("destination") or {})
        row = create_version(transaction, backend, bucket, name, content, settings, call.preconditions())
        if resource.get("deleteSourceObjects"):
            for source in rows:
                delete_version(transaction, backend, bucket, source.name, source.generation, Preconditions())
    return Reply(object_resource(row, call.base_url))


def restore(call: Call, backend: Backend) -> Reply:
    """Makes a soft-deleted generation the live version, with a new generation."""
    bucket, name, generation = call.names["bucket"], call.names["object"], call.number("generation")
    if generation is None:
        raise required("generation")
    with backend.database.transaction() as transaction:
        existing_bucket(transaction, bucket)
        found = soft_delete.take(transaction, bucket, name, generation, backend.clock())
        if found is None:
            raise object_not_found(bucket, name)
        kept, content = found
        settings = {field: value for field, value in kept.settings.items() if not field.startswith("_")}
        row = create_version(transaction, backend, bucket, name, content, settings, call.preconditions())
    return Reply(object_resource(row, call.base_url))


def copy(call: Call, backend: Backend) -> Reply:
    return Reply(object_resource(_copy(call, backend), call.base_url))


def rewrite(call: Call, backend: Backend) -> Reply:
    """Completes in one call for any size, because both versions share the same bytes."""
    row = _copy(call, backend)
    sizes = {"totalBytesRewritten": str(row.size), "objectSize": str(row.size)}
    resource = object_resource(row, call.base_url)
    return Reply({"kind": "storage#rewriteResponse", **sizes, "done": True, "resource": resource})


def _copy(call: Call, backend: Backend) -> ObjectRow:
    """Copies an object. Fields in the request's body replace all fields of the source; an empty body keeps them."""
    asked = object_settings(call.resource())
    name = checked_object_name(call.names["to_object"])
    with backend.database.transaction() as transaction:
        generation = call.number("sourceGeneration")
        source = existing_version(transaction, call.names["bucket"], call.names["object"], generation)
        call.preconditions("ifSource").check(object_state(source))
        content = object_rows.content_of(transaction, source)
        settings = asked or {field: value for field, value in source.settings.items() if not _keeps(field)}
        return create_version(
            transaction, backend, call.names["to_bucket"], name, content, settings, call.preconditions()
        )


def _change(call: Call, backend: Backend, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Reply:
    with backend.database.transaction() as transaction:
        before = _named(transaction, call)
        call.preconditions().check(object_state(before))
        bucket = existing_bucket(transaction, before.bucket)
        settings = changed(
            before.settings,
            object_settings(change(before.settings)),
            backend.clock(),
            enabled=bucket.object_retention,
            override=call.flag("overrideUnlockedRetention"),
        )
        row = replace(before, settings=settings, metageneration=before.metageneration + 1, updated=backend.time())
        object_rows.save_object(transaction, row)
    return Reply(object_resource(row, call.base_url))


def _named(transaction: Transaction, call: Call) -> ObjectRow:
    return existing_version(transaction, call.names["bucket"], call.names["object"], call.number("generation"))


def _keeps(field: str) -> bool:
    """Whether a setting protects its version (a hold, a retention): copies do not take it from their source."""
    return field.endswith("Hold") or field == "retention" or field.startswith("_")


def _source(transaction: Transaction, bucket: str, source: dict[str, Any]) -> ObjectRow:
    if not source.get("name"):
        raise required("sourceObjects[].name")
    generation = source.get("generation")
    row = existing_version(transaction, bucket, source["name"], int(generation) if generation else None)
    wanted = (source.get("objectPreconditions") or {}).get("ifGenerationMatch")
    Preconditions(generation_match=int(wanted) if wanted is not None else None).check(object_state(row))
    return row


def _joined(contents: list[Content]) -> Content:
    crc32c = 0
    for content in contents:
        crc32c = combine_crc32c(crc32c, content.crc32c, content.size)
    segments = tuple(segment for content in contents for segment in content.segments)
    return Content(segments, crc32c, None, sum(content.component_count or 1 for content in contents))
