"""The deployed models of this project: one row each, and one for each endpoint without any."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.catalog.prices import Replicas
from vertex_vllm.errors import ServiceError
from vertex_vllm.labels import STAGE_LABEL, Marks
from vertex_vllm.vertex_ai.clients import endpoint_client, service_errors
from vertex_vllm.vertex_ai.find_by_label import every_endpoint
from vertex_vllm.vertex_ai.resource_names import ResourceName


@dataclass(frozen=True)
class Served:
    """A deployed model, or an endpoint without any."""

    endpoint: str
    """projects/P/locations/REGION/endpoints/ID."""
    deployment: str
    stage: str
    """live, superseded, or empty: not promoted (yet)."""
    run: str
    """Id of the run that made the endpoint."""
    replicas: Replicas | None
    """None: nothing is deployed and nothing is rented."""
    since: datetime
    """When the model was deployed; where none is, when the endpoint was made."""

    @property
    def endpoint_id(self) -> str:
        return ResourceName.parse(self.endpoint, "endpoints").id


def inventory(project: str, region: str) -> tuple[Served, ...]:
    """Rows of all endpoints with this project's labels, by deployment, the live one first. Raises ServiceError."""
    with service_errors(f"Listing the endpoints of {project} in {region}", ServiceError):
        endpoints = every_endpoint(endpoint_client(region), project, region)
    rows = [row for endpoint in endpoints for row in served_on(endpoint)]
    return tuple(sorted(rows, key=lambda row: (row.deployment, row.stage != "live", row.endpoint)))


def served_on(endpoint: vertex.Endpoint) -> Iterator[Served]:
    labels = Marks.of(endpoint.labels)
    marks = (labels.deployment, endpoint.labels.get(STAGE_LABEL, ""), labels.run)
    if not endpoint.deployed_models:
        yield Served(endpoint.name, *marks, replicas=None, since=endpoint.create_time)
    for deployed in endpoint.deployed_models:
        replicas = replicas_of(deployed, ResourceName.parse(endpoint.name, "endpoints").region)
        yield Served(endpoint.name, *marks, replicas=replicas, since=deployed.create_time or endpoint.create_time)


def replicas_of(deployed: vertex.DeployedModel, region: str) -> Replicas:
    """The machines of one deployed model."""
    resources = deployed.dedicated_resources
    machine = resources.machine_spec
    least = resources.min_replica_count
    return Replicas(
        machine_type=machine.machine_type,
        accelerator_type=machine.accelerator_type.name if machine.accelerator_count else "",
        accelerator_count=machine.accelerator_count,
        region=region,
        spot=resources.spot,
        least=least,
        # Zero means "as many as at least" (DedicatedResources.max_replica_count).
        most=max(least, resources.max_replica_count),
    )
