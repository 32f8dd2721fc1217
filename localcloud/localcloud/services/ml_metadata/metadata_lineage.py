"""MetadataService: which nodes belong together, added and asked for.

By the docstrings of the client (google-cloud-aiplatform 1.165.1): what has been added already is skipped; a context has
at most 10 parents and is in no circle; a subgraph has at most 1,000 artifacts, executions and events. A doubt: nodes of
another store are refused.
"""

from typing import Any

from google.cloud.aiplatform_v1beta1.types import (
    AddContextArtifactsAndExecutionsResponse,
    AddContextChildrenResponse,
    AddExecutionEventsResponse,
    Event,
    LineageSubgraph,
)
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.registration import Service
from localcloud.services.ml_metadata.metadata_edges import EVENTS, add_member, members_of, parents_of
from localcloud.services.ml_metadata.metadata_kinds import ARTIFACT, CONTEXT, EXECUTION
from localcloud.services.ml_metadata.metadata_nodes import put_node, require_node

service = Service("google.cloud.aiplatform.v1beta1.MetadataService")

_MOST_PARENTS = 10
_MOST_OF_A_SUBGRAPH = 1000


@service.method("AddContextChildren")
def add_context_children(request: Any, cloud: Cloud) -> Message:
    with cloud.store.transaction():
        parent = require_node(cloud, CONTEXT, request.context, "AddContextChildren").name
        above = _ancestors(cloud, parent)
        for name in request.child_contexts:
            child = _beside(parent, require_node(cloud, CONTEXT, name, "AddContextChildren"))
            if parent in child.parent_contexts:
                continue
            if child.name in above:
                raise ApiError("INVALID_ARGUMENT", f"{child.name} cannot be a child of {parent}: that is a circle.")
            if len(child.parent_contexts) >= _MOST_PARENTS:
                raise ApiError("INVALID_ARGUMENT", f"{child.name} has {_MOST_PARENTS} parents already.")
            child.parent_contexts.append(parent)
            put_node(cloud, CONTEXT, child)
    return AddContextChildrenResponse.pb()()


@service.method("AddContextArtifactsAndExecutions")
def add_context_artifacts_and_executions(request: Any, cloud: Cloud) -> Message:
    method = "AddContextArtifactsAndExecutions"
    with cloud.store.transaction():
        context = require_node(cloud, CONTEXT, request.context, method).name
        for name in request.artifacts:
            add_member(cloud, context, _beside(context, require_node(cloud, ARTIFACT, name, method)).name)
        for name in request.executions:
            add_member(cloud, context, _beside(context, require_node(cloud, EXECUTION, name, method)).name)
    return AddContextArtifactsAndExecutionsResponse.pb()()


@service.method("AddExecutionEvents")
def add_execution_events(request: Any, cloud: Cloud) -> Message:
    with cloud.store.transaction():
        execution = require_node(cloud, EXECUTION, request.execution, "AddExecutionEvents").name
        for given in request.events:
            if given.type_ not in (Event.Type.INPUT, Event.Type.OUTPUT):
                raise ApiError("INVALID_ARGUMENT", "events: the type of an event is INPUT or OUTPUT.")
            artifact = _beside(execution, require_node(cloud, ARTIFACT, given.artifact, "AddExecutionEvents")).name
            name = f"{execution}/events/{artifact.rpartition('/')[2]}"
            if cloud.store.get(EVENTS, name) is None:
                event = Event.pb()(artifact=artifact, execution=execution, type_=given.type_, labels=given.labels)
                event.event_time.CopyFrom(cloud.timestamp())
                cloud.store.put(EVENTS, name, event)
    return AddExecutionEventsResponse.pb()()


@service.method("QueryContextLineageSubgraph")
def query_context_lineage_subgraph(request: Any, cloud: Cloud) -> Message:
    context = require_node(cloud, CONTEXT, request.context, "QueryContextLineageSubgraph").name
    members = members_of(cloud, context)
    store = context.rsplit("/", 2)[0]
    events = [event for event in cloud.store.list(EVENTS, store) if {event.artifact, event.execution} <= members]
    return _subgraph(cloud, store, members, events)


@service.method("QueryExecutionInputsAndOutputs")
def query_execution_inputs_and_outputs(request: Any, cloud: Cloud) -> Message:
    execution = require_node(cloud, EXECUTION, request.execution, "QueryExecutionInputsAndOutputs").name
    events = cloud.store.list(EVENTS, execution)
    members = frozenset({execution, *(event.artifact for event in events)})
    return _subgraph(cloud, execution.rsplit("/", 2)[0], members, events)


def _subgraph(cloud: Cloud, store: str, members: frozenset[str], events: list[Any]) -> Message:
    artifacts = [each for each in cloud.store.list(ARTIFACT.kind, store) if each.name in members]
    executions = [each for each in cloud.store.list(EXECUTION.kind, store) if each.name in members]
    if max(map(len, (artifacts, executions, events))) > _MOST_OF_A_SUBGRAPH:
        raise ApiError("FAILED_PRECONDITION", f"The subgraph has more than {_MOST_OF_A_SUBGRAPH} nodes or events.")
    return LineageSubgraph.pb()(artifacts=artifacts, executions=executions, events=events)


def _beside(name: str, node: Any) -> Any:
    """The node. Raises ApiError INVALID_ARGUMENT where it is in another store than the node `name`."""
    if node.name.rsplit("/", 2)[0] != name.rsplit("/", 2)[0]:
        raise ApiError("INVALID_ARGUMENT", f"{node.name} is in another MetadataStore than {name}.")
    return node


def _ancestors(cloud: Cloud, context: str) -> set[str]:
    """The context itself and all above it."""
    found, left = {context}, [context]
    while left:
        new = parents_of(cloud, left.pop()) - found
        found |= new
        left += new
    return found
