"""Clients of Vertex AI's regional services, and the boundary to their errors."""

from contextlib import AbstractContextManager

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import DeploymentError, ServiceError, TeardownError
from vertex_vllm.google.error_boundary import VERTEX_AI, google_errors
from vertex_vllm.google.regional_hosts import vertex_ai_host
from vertex_vllm.google.shared_clients import google_client
from vertex_vllm.retries import google_retry

CALL_SECONDS = 60.0
"""Seconds for one call, retries included. Google's clients default to 5 s or to no limit, by method."""

RETRY = google_retry(CALL_SECONDS)
"""Retry of calls that change nothing, or that have the same effect when repeated."""


def endpoint_client(region: str) -> vertex.EndpointServiceClient:
    return google_client(vertex.EndpointServiceClient, vertex_ai_host(region))


def model_client(region: str) -> vertex.ModelServiceClient:
    return google_client(vertex.ModelServiceClient, vertex_ai_host(region))


def metadata_client(region: str) -> vertex.MetadataServiceClient:
    return google_client(vertex.MetadataServiceClient, vertex_ai_host(region))


def service_errors(
    doing: str, error: type[DeploymentError] | type[ServiceError] | type[TeardownError] = DeploymentError
) -> AbstractContextManager[None]:
    """`google_errors` of Vertex AI; `doing` names the action for a person."""
    return google_errors(VERTEX_AI, doing=doing, error=error)
