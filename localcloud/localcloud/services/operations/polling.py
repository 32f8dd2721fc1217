"""`google.longrunning.Operations`, which clients poll after a call with a long-running operation."""

from typing import Any

from google.longrunning.operations_pb2 import ListOperationsResponse
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.services.artifact_registry.packages import named

# Seconds. A waiting call occupies a thread; a client that wants to wait longer calls again.
_LONGEST_WAIT_SECONDS = 60.0

service = Service("google.longrunning.Operations")


@service.method("GetOperation")
def get_operation(request: Any, cloud: Cloud) -> Message:
    return cloud.operations.get(_name(request, cloud))


@service.method("ListOperations")
def list_operations(request: Any, cloud: Cloud) -> Message:
    # Most services name a location by the project's number, Artifact Registry by its id.
    parents = dict.fromkeys((cloud.canonical(request.name), named(cloud, request.name)))
    chosen, token = page([one for parent in parents for one in cloud.operations.list(parent)], request)
    return ListOperationsResponse(operations=chosen, next_page_token=token)


@service.method("DeleteOperation")
def delete_operation(request: Any, cloud: Cloud) -> Message:
    cloud.operations.delete(_name(request, cloud))
    return Empty()


@service.method("CancelOperation")
def cancel_operation(request: Any, cloud: Cloud) -> Message:
    cloud.operations.cancel(_name(request, cloud))
    return Empty()


@service.method("WaitOperation")
def wait_operation(request: Any, cloud: Cloud) -> Message:
    asked = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else _LONGEST_WAIT_SECONDS
    return cloud.operations.wait(_name(request, cloud), min(asked, _LONGEST_WAIT_SECONDS))


def find_operation(cloud: Cloud, name: str) -> Any:
    """The operation of that name, or None."""
    canonical = cloud.canonical(name)
    # Artifact Registry names its operations by the project's id.
    return cloud.operations.find(canonical) or cloud.operations.find(named(cloud, canonical))


def _name(request: Any, cloud: Cloud) -> str:
    """The operation's own name, for any name by which a client may ask for it."""
    found = find_operation(cloud, request.name)
    return str(found.name) if found is not None else cloud.canonical(request.name)
