"""Edges between the nodes of a metadata store: events, members of contexts, parents of contexts."""

from google.cloud.aiplatform_v1beta1.types import Event
from google.protobuf.wrappers_pb2 import StringValue

from localcloud.core.cloud import Cloud
from localcloud.core.store import Kind
from localcloud.services.ml_metadata.metadata_kinds import CONTEXT

EVENTS = Kind("metadata event", Event.pb())
"""Named `<execution>/events/<id of the artifact>`."""

MEMBERS = Kind("metadata member", StringValue)
"""Names of a context's artifacts and executions; named `<context>/<collection>/<id>`."""


def members_of(cloud: Cloud, context: str) -> frozenset[str]:
    """Artifacts and executions of a context."""
    return frozenset(member.value for member in cloud.store.list(MEMBERS, cloud.canonical(context)))


def add_member(cloud: Cloud, context: str, node: str) -> None:
    """An artifact or execution that is a member already stays one."""
    cloud.store.put(MEMBERS, f"{context}/{'/'.join(node.rsplit('/', 2)[1:])}", StringValue(value=node))


def parents_of(cloud: Cloud, context: str) -> frozenset[str]:
    """Parents of a context; none where it is missing."""
    found = cloud.store.get(CONTEXT.kind, cloud.canonical(context))
    return frozenset(found.parent_contexts) if found is not None else frozenset()


def remove_edges(cloud: Cloud, node: str) -> None:
    """Removes all that connects a node that is deleted with others. To be called in a transaction."""
    store = node.rsplit("/", 2)[0]
    for name, member in cloud.store.items(MEMBERS, store):
        if member.value == node or name.startswith(f"{node}/"):
            cloud.store.delete(MEMBERS, name)
    for name, event in cloud.store.items(EVENTS, store):
        if node in (event.artifact, event.execution):
            cloud.store.delete(EVENTS, name)
    for child in cloud.store.list(CONTEXT.kind, store):
        if node in child.parent_contexts:
            child.parent_contexts.remove(node)
            cloud.store.put(CONTEXT.kind, child.name, child)
