"""MetadataService: create, get, list, update and delete contexts, executions and artifacts.

One set of functions for the three kinds: their methods differ in names alone.
"""

from functools import partial
from typing import Any

from google.cloud.aiplatform_v1beta1.types import DeleteOperationMetadata
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.filters import Predicate
from localcloud.core.registration import Service
from localcloud.services.ml_metadata.metadata_edges import members_of, parents_of, remove_edges
from localcloud.services.ml_metadata.metadata_filters import MetadataFilter
from localcloud.services.ml_metadata.metadata_kinds import ARTIFACT, CONTEXT, EXECUTION, NodeKind
from localcloud.services.ml_metadata.metadata_names import new_id, read_node, read_store
from localcloud.services.ml_metadata.metadata_pages import metadata_page
from localcloud.services.vertex.validation import Violations

service = Service("google.cloud.aiplatform.v1beta1.MetadataService")

NODES = (CONTEXT, EXECUTION, ARTIFACT)

# The comments on the messages: "up to 128 Unicode characters", "no more than 64 user labels", "should not exceed
# 200KB". Version of Google's own schemas: google-cloud-aiplatform 1.165.1, `metadata/constants.py`.
_MOST_DISPLAY_NAME = 128
_MOST_LABELS = 64
_SCHEMA_VERSION = "0.0.1"
_MOST_METADATA_BYTES = 200_000


def require_node(cloud: Cloud, node: NodeKind, name: str, method: str) -> Any:
    """The node of that name, as a caller gives it. Raises ApiError NOT_FOUND in the words of the real service."""
    stored = read_node(name, node.collection, cloud)
    found = cloud.store.get(node.kind, stored)
    if found is None:
        # googleapis/python-aiplatform#1504 (2022-07-15), #2126 (2023-04-24); other methods than GetContext by analogy.
        raise ApiError(
            "NOT_FOUND", f"Resource not found.; {method} is unable to find {node.field} resource with name: {name}"
        )
    return found


def put_node(cloud: Cloud, node: NodeKind, message: Any) -> None:
    """Stores the node with its time of update, and an etag: that time in milliseconds (recorded in 2026).

    "Top level metadata keys' heading and trailing spaces will be trimmed" (the comment on the field).
    """
    message.update_time.CopyFrom(cloud.timestamp())
    if not message.HasField("create_time"):
        message.create_time.CopyFrom(message.update_time)
    # Two updates within a millisecond have two etags.
    message.etag = str(max(message.update_time.ToMilliseconds(), int(message.etag or 0) + 1))
    message.metadata.SetInParent()
    for key in [key for key in message.metadata.fields if key != key.strip()]:
        message.metadata.fields[key.strip()].CopyFrom(message.metadata.fields[key])
        del message.metadata.fields[key]
    cloud.store.put(node.kind, message.name, message)


def _create(node: NodeKind, request: Any, cloud: Cloud) -> Message:
    given = getattr(request, node.field)
    store = read_store(request.parent, cloud)
    identity = new_id(getattr(request, f"{node.field}_id"), f"{node.field}_id", cloud)
    return _insert(cloud, node, f"{store}/{node.collection}/{identity}", given)


def _insert(cloud: Cloud, node: NodeKind, name: str, given: Any) -> Message:
    _check(node, given)
    made = node.kind.message_type(name=name)
    for field in node.updatable & {descriptor.name for descriptor, _ in given.ListFields()}:
        _copy(given, made, field)
    with cloud.store.transaction():
        if cloud.store.get(node.kind, name) is not None:
            raise ApiError("ALREADY_EXISTS", f"{node.noun} {name} already exists.")
        put_node(cloud, node, made)
    return made


def _get(node: NodeKind, request: Any, cloud: Cloud) -> Message:
    found: Message = require_node(cloud, node, request.name, f"Get{node.noun}")
    return found


def _list(node: NodeKind, request: Any, cloud: Cloud) -> Message:
    store = read_store(request.parent, cloud)
    matches = _predicate(node, request.filter, cloud)
    shown, token = metadata_page([each for each in cloud.store.list(node.kind, store) if matches(each)], request)
    return node.listed(**{node.collection: shown, "next_page_token": token})


def _predicate(node: NodeKind, text: str, cloud: Cloud) -> Predicate:
    if not text.strip():
        return lambda message: True
    return MetadataFilter(text, node, partial(members_of, cloud), partial(parents_of, cloud)).whole()


def _update(node: NodeKind, request: Any, cloud: Cloud) -> Message:
    """Without a mask the fields that are set are replaced, each as a whole (AIP-134): metadata is not merged."""
    given = getattr(request, node.field)
    paths = set(request.update_mask.paths) or {field.name for field, _ in given.ListFields()} & node.updatable
    if unknown := paths - node.updatable:
        raise ApiError("INVALID_ARGUMENT", f"update_mask: {', '.join(sorted(unknown))} cannot be updated.")
    with cloud.store.transaction():
        stored = cloud.store.get(node.kind, read_node(given.name, node.collection, cloud))
        if stored is None and request.allow_missing:
            name = read_node(given.name, node.collection, cloud)
            new_id(name.rpartition("/")[2], f"{node.field}_id", cloud)
            return _insert(cloud, node, name, given)
        stored = require_node(cloud, node, given.name, f"Update{node.noun}")
        if given.etag and given.etag != stored.etag:
            # google-cloud-aiplatform 1.165.1, `metadata/context.py`: the form that its retries match.
            raise ApiError(
                "ABORTED",
                f"Specified {node.noun} `etag`: `{given.etag}` does not match server `etag`: `{stored.etag}`",
            )
        for field in paths:
            _copy(given, stored, field)
        _check(node, stored)
        put_node(cloud, node, stored)
    changed: Message = stored
    return changed


def _delete(node: NodeKind, request: Any, cloud: Cloud) -> Message:
    """With its place in contexts and events; the children of a context stay."""
    with cloud.store.transaction():
        stored = require_node(cloud, node, request.name, f"Delete{node.noun}")
        if request.etag and request.etag != stored.etag:
            raise ApiError("FAILED_PRECONDITION", f"The etag does not match: {stored.name} was changed since.")
        cloud.store.delete(node.kind, stored.name)
        remove_edges(cloud, stored.name)
    return cloud.operations.finished(stored.name, metadata=DeleteOperationMetadata.pb()(), response=Empty())


def _copy(source: Any, target: Any, field: str) -> None:
    """One field as it is in `source`, set or not."""
    only = type(source)()
    only.CopyFrom(source)
    for descriptor, _ in only.ListFields():
        if descriptor.name != field:
            only.ClearField(descriptor.name)
    target.ClearField(field)
    target.MergeFrom(only)


def _check(node: NodeKind, given: Any) -> None:
    """Raises ApiError INVALID_ARGUMENT. A doubt: the words, and whether a schema may be left out at all."""
    violations = Violations()
    if given.schema_title not in node.schemas:
        known = ", ".join(sorted(node.schemas))
        violations.add(f"{node.field}.schema_title", f"`{given.schema_title}` is not a schema here; {known} are.")
    elif given.schema_version not in ("", _SCHEMA_VERSION):
        violations.add(
            f"{node.field}.schema_version",
            f"`{given.schema_title}` has no version `{given.schema_version}` here; its version is {_SCHEMA_VERSION}.",
        )
    if len(given.labels) > _MOST_LABELS:
        violations.add(f"{node.field}.labels", f"More than {_MOST_LABELS} labels.")
    if len(given.display_name) > _MOST_DISPLAY_NAME:
        violations.add(f"{node.field}.display_name", f"Longer than {_MOST_DISPLAY_NAME} characters.")
    if given.metadata.ByteSize() > _MOST_METADATA_BYTES:
        violations.add(f"{node.field}.metadata", f"Larger than {_MOST_METADATA_BYTES} bytes.")
    violations.labels(f"{node.field}.labels", given.labels)
    violations.raise_any()


for _node in NODES:
    service.method(f"Create{_node.noun}")(partial(_create, _node))
    service.method(f"Get{_node.noun}")(partial(_get, _node))
    service.method(f"List{_node.noun}s")(partial(_list, _node))
    service.method(f"Update{_node.noun}")(partial(_update, _node))
    service.method(f"Delete{_node.noun}")(partial(_delete, _node))
