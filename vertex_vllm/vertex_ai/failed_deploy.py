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
    """The end of a deploy operation."""

    operation: str
    refusal: Refusal
    ended: datetime


def failed_deploy(endpoint_name: str) -> FailedDeploy | None:
    """The newest deploy that failed or was cancelled; None if the endpoint serves a model, or is deleted.

    None as well where Vertex AI does not list operations. Raises ServiceError.
    """
    with service_errors(f"Reading the operations of {endpoint_name}"):
        client = endpoint_client(ResourceName.parse(endpoint_name, "endpoints").region)
        endpoint = get_endpoint(client, endpoint_name)
        if endpoint is None or endpoint.deployed_models:
            return None
        try:
            return max(_failed(client, endpoint_name), key=lambda failed: failed.ended, default=None)
        except exceptions.MethodNotImplemented:
            return None


def _failed(client: vertex.EndpointServiceClient, endpoint_name: str) -> Iterator[FailedDeploy]:
    request = operations_pb2.ListOperationsRequest(name=endpoint_name)
    while True:
        page = client.list_operations(request, retry=RETRY, timeout=CALL_SECONDS)
        for operation in page.operations:
            if operation.done and is_deploy(operation) and (refusal := failure(operation)):
                told = vertex.DeployModelOperationMetadata.deserialize(operation.metadata.value).generic_metadata
                yield FailedDeploy(operation.name, refusal, told.update_time)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
