"""Reads what a deployment serves now from its labels, its Endpoint and its Model version."""

from collections.abc import Sequence

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import ServiceError
from vertex_vllm.labels import LIVE, STAGE_LABEL, Marks
from vertex_vllm.planning.difference import Serving
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, model_client, service_errors
from vertex_vllm.vertex_ai.deployed_models import replicas_of
from vertex_vllm.vertex_ai.find_by_label import find_endpoints
from vertex_vllm.vertex_ai.resource_names import ResourceName


def serving_now(project: str, regions: Sequence[str], deployment: str) -> Serving | None:
    """The served model of the deployment's live endpoint, or of the newest where none is live; None without endpoints.

    Raises ServiceError for what Vertex AI refuses.
    """
    with service_errors(f"Looking for what {deployment} serves", ServiceError):
        found = [
            endpoint
            for region in dict.fromkeys(regions)
            for endpoint in find_endpoints(endpoint_client(region), project, region, deployment)
            if endpoint.deployed_models
        ]
        if not found:
            return None
        return _serving(max(found, key=lambda each: (each.labels.get(STAGE_LABEL) == LIVE, each.create_time)))


def _serving(endpoint: vertex.Endpoint) -> Serving:
    newest = max(endpoint.deployed_models, key=lambda deployed: deployed.create_time)
    return serving_of(endpoint, newest)


def serving_of(endpoint: vertex.Endpoint, deployed: vertex.DeployedModel) -> Serving:
    """A deployed model of an Endpoint with the data of its Model version, which is read too."""
    model = ResourceName.parse(deployed.model, "models")
    version = model.with_version(model.version or deployed.model_version_id)
    read = model_client(version.region).get_model(name=str(version), retry=RETRY, timeout=CALL_SECONDS)
    container = read.container_spec
    environment = {variable.name: variable.value for variable in container.env}
    return Serving(
        endpoint=endpoint.name,
        stage=endpoint.labels.get(STAGE_LABEL, ""),
        config_hash=Marks.of(endpoint.labels).config_hash,
        model_id=environment.get("MODEL_ID", ""),
        image=container.image_uri,
        args=tuple(container.args),
        replicas=replicas_of(deployed, ResourceName.parse(endpoint.name, "endpoints").region),
    )
