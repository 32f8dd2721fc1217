"""A deployment as its callers see it: the endpoint that answers, its address, age and expiry, and other endpoints."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import InputError, RegionClosedError, ServiceError
from vertex_vllm.google.regional_hosts import dedicated_host, vertex_ai_host
from vertex_vllm.labels import LIVE, STAGE_LABEL, SUPERSEDED, Marks
from vertex_vllm.planning.difference import Serving
from vertex_vllm.vertex_ai.clients import endpoint_client, service_errors
from vertex_vllm.vertex_ai.find_by_label import find_endpoints
from vertex_vllm.vertex_ai.resource_names import ResourceName
from vertex_vllm.vertex_ai.serving_now import serving_of

_REGIONS_AT_ONCE = 8


@dataclass(frozen=True)
class DeploymentView:
    """The endpoint of a deployment that callers use, and its superseded endpoints."""

    serving: Serving
    """Contents of the endpoint: model, image, arguments, machines."""
    host: str
    """DNS name that takes the requests: the endpoint's own, or the region's for a shared endpoint."""
    dedicated: bool
    marks: Marks
    """The endpoint's labels: run, owner, expiry."""
    since: datetime
    """Moment at which the model was deployed."""
    superseded: tuple[str, ...]
    """Resource names of the deployment's endpoints that still serve, and cost, after a promotion of another one."""

    @property
    def base_url(self) -> str:
        """`base_url` of OpenAI's client."""
        return f"https://{self.host}/v1beta1/{self.serving.endpoint}"


def view_deployment(project: str, regions: Sequence[str], deployment: str) -> DeploymentView:
    """The live endpoint of a deployment in these regions; the newest one where no endpoint is live.

    Raises InputError where no endpoint of the deployment serves anything, ServiceError for a refusal of Vertex AI.
    """
    with ThreadPoolExecutor(_REGIONS_AT_ONCE) as pool:
        found = list(pool.map(lambda region: _serving_endpoints(project, region, deployment), dict.fromkeys(regions)))
    endpoints = [endpoint for in_region in found for endpoint in in_region]
    if not endpoints:
        raise InputError(
            f"deployment {deployment} has no endpoint that serves a model in project {project} ({_told(regions)})",
            fix=f"`vertex-vllm endpoints list --project {project}` lists all endpoints of a region, "
            f"`vertex-vllm runs list --project {project}` the runs that deploy",
        )
    shown = max(endpoints, key=lambda each: (each.labels.get(STAGE_LABEL) == LIVE, each.create_time))
    with service_errors(f"Reading the model of {shown.name}", ServiceError):
        return _view(shown, tuple(sorted(other.name for other in endpoints if _is_superseded(other))))


def _serving_endpoints(project: str, region: str, deployment: str) -> tuple[vertex.Endpoint, ...]:
    """The deployment's endpoints that serve a model; none if the project may not use the region."""
    try:
        with service_errors(f"Looking for deployment {deployment} in {region}", ServiceError):
            listed = find_endpoints(endpoint_client(region), project, region, deployment)
    except RegionClosedError:
        return ()
    return tuple(endpoint for endpoint in listed if endpoint.deployed_models)


def _view(endpoint: vertex.Endpoint, superseded: tuple[str, ...]) -> DeploymentView:
    newest = max(endpoint.deployed_models, key=lambda deployed: deployed.create_time)
    dedicated = endpoint.dedicated_endpoint_enabled and endpoint.dedicated_endpoint_dns
    region = ResourceName.parse(endpoint.name, "endpoints").region
    return DeploymentView(
        serving=serving_of(endpoint, newest),
        host=dedicated_host(endpoint.dedicated_endpoint_dns) if dedicated else vertex_ai_host(region),
        dedicated=bool(dedicated),
        marks=Marks.of(endpoint.labels),
        since=newest.create_time or endpoint.create_time,
        superseded=superseded,
    )


def _is_superseded(endpoint: vertex.Endpoint) -> bool:
    return bool(endpoint.labels.get(STAGE_LABEL) == SUPERSEDED)


def _told(regions: Sequence[str]) -> str:
    return ", ".join(regions) if len(regions) <= 3 else f"{len(regions)} regions looked at"
