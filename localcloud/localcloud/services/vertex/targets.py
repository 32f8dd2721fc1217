"""The target of a prediction: the endpoint, the domain, and the deployed model."""

import random
from dataclasses import dataclass
from typing import Any

from localcloud.core import regions
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import decisions
from localcloud.services.vertex import registry
from localcloud.services.vertex.flex_start import undeploy_expired
from localcloud.services.vertex.records import ENDPOINTS
from localcloud.services.vertex.replicas import Replicas
from localcloud.services.vertex.resource_names import EndpointName, read_endpoint, read_model
from localcloud.services.vertex.traffic import choose

DEDICATED_DOMAIN = ".prediction.vertexai.goog"

# Vertex AI docs, "Use dedicated public endpoints" and "Get online inferences": seconds and bytes.
_SHARED_SECONDS = 60.0
_DEDICATED_SECONDS = 600.0
_SHARED_BYTES = 1_500_000
_DEDICATED_BYTES = 10_000_000


@dataclass(frozen=True)
class Target:
    endpoint: EndpointName
    dedicated: bool
    timeout_seconds: float
    deployed_model_id: str
    model: str
    model_version_id: str
    model_display_name: str
    address: str
    predict_route: str
    invoked: bool
    """True for a model that accepts `invoke` on its own routes, and not `predict`."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers that Vertex AI adds to a container's unchanged answer."""
        return {
            "X-Vertex-AI-Endpoint-Id": self.endpoint.endpoint_id,
            "X-Vertex-AI-Deployed-Model-Id": self.deployed_model_id,
            "X-Vertex-AI-Model": self.model,
            "X-Vertex-AI-Model-Version-Id": self.model_version_id,
        }


def largest_request(dedicated: bool) -> int:
    """Limit of a request's body, in bytes."""
    return _DEDICATED_BYTES if dedicated else _SHARED_BYTES


def is_dedicated_domain(host: str) -> bool:
    return host.endswith(DEDICATED_DOMAIN)


def find_target(name: str, host: str, cloud: Cloud, deployed_model_id: str = "") -> Target:
    """The deployed model for a request to the endpoint `name` that was sent to `host` ("": a shared domain).

    Chosen by `deployed_model_id`, else by the traffic split. Raises ApiError NOT_FOUND; FAILED_PRECONDITION for
    the wrong domain and for an endpoint without traffic; UNAVAILABLE while the container is not healthy.
    """
    endpoint = read_endpoint(name, cloud)
    regions.check_open(cloud, name)
    decisions.check(cloud, "aiplatform.endpoints.predict", name)
    undeploy_expired(cloud, str(endpoint))
    record = cloud.store.get(ENDPOINTS, str(endpoint))
    if record is None or (is_dedicated_domain(host) and host != record.dedicated_endpoint_dns):
        raise ApiError("NOT_FOUND", f"Endpoint `{endpoint}` not found.")
    if record.dedicated_endpoint_enabled and not is_dedicated_domain(host):
        raise ApiError(
            "FAILED_PRECONDITION",
            "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain aiplatform.googleapis.com. "
            f"Please access the endpoint using its dedicated domain name '{record.dedicated_endpoint_dns}'",
        )
    deployed = _chosen(record, deployed_model_id)
    replica = cloud.part(Replicas).find(endpoint, deployed.id)
    if replica is None or not replica.ready:
        raise ApiError(
            "UNAVAILABLE", f"The model server of endpoint {endpoint}, deployed model {deployed.id}, is not ready yet."
        )
    version = registry.find_version(cloud, read_model(f"{deployed.model}@{deployed.model_version_id}", cloud))
    return Target(
        endpoint=endpoint,
        dedicated=record.dedicated_endpoint_enabled,
        timeout_seconds=_timeout(record),
        deployed_model_id=deployed.id,
        model=deployed.model,
        model_version_id=deployed.model_version_id,
        model_display_name=registry.display_name(cloud, deployed.model),
        address=replica.launch.address,
        predict_route=replica.launch.predict_route,
        invoked=bool(version.container_spec.invoke_route_prefix),
    )


def took_too_long(target: Target) -> ApiError:
    return ApiError(
        "UNAVAILABLE",
        f"Took too long to respond when processing endpoint {target.endpoint.endpoint_id}, "
        f"deployed model id: {target.deployed_model_id}",
    )


def too_large(size: int) -> ApiError:
    """The refusal of shared domains."""
    return ApiError("FAILED_PRECONDITION", f"The request size ({size} bytes) exceeds 1.500MB limit.")


def _chosen(record: Any, deployed_model_id: str) -> Any:
    if not deployed_model_id:
        if not record.traffic_split:
            raise ApiError("FAILED_PRECONDITION", f"Endpoint {record.name} doesn't have traffic_split.")
        deployed_model_id = choose(dict(record.traffic_split), random.random())
    for deployed in record.deployed_models:
        if deployed.id == deployed_model_id:
            return deployed
    raise ApiError("NOT_FOUND", f"The Endpoint {record.name} has no DeployedModel {deployed_model_id}.")


def _timeout(record: Any) -> float:
    if not record.dedicated_endpoint_enabled:
        return _SHARED_SECONDS
    return float(record.client_connection_config.inference_timeout.ToSeconds()) or _DEDICATED_SECONDS
