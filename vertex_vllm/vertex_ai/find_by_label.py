"""Finds Endpoints and Models by this project's labels, and never returns one without them."""

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.labels import belongs, is_of_a_deployment
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY
from vertex_vllm.vertex_ai.resource_names import ResourceName

DEFAULT = "default"
"""The version that Vertex AI answers with for a Model's name without one; each Model has exactly one."""


def find_endpoints(
    client: vertex.EndpointServiceClient, project: str, region: str, deployment: str, run_id: str = ""
) -> tuple[vertex.Endpoint, ...]:
    listed = every_endpoint(client, project, region)
    return tuple(endpoint for endpoint in listed if belongs(endpoint.labels, deployment, run_id))


def every_endpoint(client: vertex.EndpointServiceClient, project: str, region: str) -> tuple[vertex.Endpoint, ...]:
    """The endpoints of all deployments.

    Labels are compared here and not by the service's filter: whether it takes a key with a hyphen as it is meant is not
    documented, and what a filter misses is billed on.
    """
    request = vertex.ListEndpointsRequest(parent=f"projects/{project}/locations/{region}")
    listed = client.list_endpoints(request, retry=RETRY, timeout=CALL_SECONDS)
    return tuple(endpoint for endpoint in listed if is_of_a_deployment(endpoint.labels))


def every_model(client: vertex.ModelServiceClient, project: str, region: str) -> tuple[vertex.Model, ...]:
    """The Models of all deployments. The labels of a version, not of its Model, name the run that created it."""
    request = vertex.ListModelsRequest(parent=f"projects/{project}/locations/{region}")
    listed = client.list_models(request, retry=RETRY, timeout=CALL_SECONDS)
    return tuple(model for model in listed if is_of_a_deployment(model.labels))


def model_versions(client: vertex.ModelServiceClient, model: ResourceName) -> tuple[vertex.Model, ...]:
    """Every version of a Model, oldest first; none if the Model is gone."""
    try:
        versions = list(client.list_model_versions(name=str(model), retry=RETRY, timeout=CALL_SECONDS))
    except exceptions.NotFound:
        return ()
    return tuple(sorted(versions, key=lambda version: int(version.version_id)))
