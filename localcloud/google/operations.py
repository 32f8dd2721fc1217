"""`google.longrunning.Operations`: what clients poll after a call that takes its time."""

from typing import Any

from google.longrunning.operations_pb2 import ListOperationsResponse
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.cloud import Cloud
from localcloud.listing import page
from localcloud.services import Service

# A client that wants to wait longer asks again: a waiting call holds a thread.
_LONGEST_WAIT_SECONDS = 60.0

service = Service("google.longrunning.Operations")


@service.method("GetOperation")
def get_operation(request: Any, cloud: Cloud) -> Message:
    return cloud.operations.get(cloud.canonical(request.name))


@service.method("ListOperations")
def list_operations(request: Any, cloud: Cloud) -> Message:
    chosen, token = page(cloud.operations.list(cloud.canonical(request.name)), request)
    return ListOperationsResponse(operations=chosen, next_page_token=token)


@service.method("DeleteOperation")
def delete_operation(request: Any, cloud: Cloud) -> Message:
    cloud.operations.delete(cloud.canonical(request.name))
    return Empty()


@service.method("CancelOperation")
def cancel_operation(request: Any, cloud: Cloud) -> Message:
    cloud.operations.cancel(cloud.canonical(request.name))
    return Empty()


@service.method("WaitOperation")
def wait_operation(request: Any, cloud: Cloud) -> Message:
    asked = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else _LONGEST_WAIT_SECONDS
    return cloud.operations.wait(cloud.canonical(request.name), min(asked, _LONGEST_WAIT_SECONDS))
