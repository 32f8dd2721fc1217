"""The failed deploy of an endpoint that serves nothing: what its operation said, and when it ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex
from google.longrunning import operations_pb2

from vertex_vllm.error_data import Refusal
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, service_errors
from vertex_vllm.vertex_ai.endpoints import get_endpoint, is_deploy
from vertex_vllm.vertex_ai.operations import failure
from vertex_vllm.vertex_ai.resource_names import ResourceName


@dataclass(frozen=True)
class FailedDeploy:
    """A deploy operation that failed or was cancelled."""

    operation: str
    refusal: Refusal
    begun: datetime
    ended: datetime


def failed_deploy(endpoint_name: str) -> FailedDeploy | None:
    """The newest deploy that has ended, if it failed; None if it succeeded, or the endpoint serves a model or is
    deleted.

    None as well where Vertex AI does not list operations. Raises DeploymentError.
    """
    with service_errors(f"Reading the operations of {endpoint_name}"):
        client = endpoint_client(ResourceName.parse(endpoint_name, "endpoints").region)
        endpoint = get_endpoint(client, endpoint_name)
        if endpoint is None or endpoint.deployed_models:
            return None
        try:
            newest = max(_ended_deploys(client, endpoint_name), key=lambda each: each[1].update_time, default=None)
        except exceptions.MethodNotImplemented:
            return None
    if newest is None or not (refusal := failure(newest[0])):
        return None
    operation, times = newest
    return FailedDeploy(operation.name, refusal, times.create_time, times.update_time)


def _ended_deploys(
    client: vertex.EndpointServiceClient, endpoint_name: str
) -> Iterator[tuple[operations_pb2.Operation, vertex.GenericOperationMetadata]]:
    """Deploys that have ended, each with its times: its start, and its end as the last update."""
    request = operations_pb2.ListOperationsRequest(name=endpoint_name)
    while True:
        page = client.list_operations(request, retry=RETRY, timeout=CALL_SECONDS)
        for operation in page.operations:
            if operation.done and is_deploy(operation):
                yield (
                    operation,
                    vertex.DeployModelOperationMetadata.deserialize(operation.metadata.value).generic_metadata,
                )
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
