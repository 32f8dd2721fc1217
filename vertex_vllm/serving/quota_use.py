"""Accelerators and CPUs that a project's endpoints hold in a region, by the quota that they count against."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.catalog import load_catalog
from vertex_vllm.errors import ServiceError
from vertex_vllm.google.quota_limits import CPU_QUOTA, n1_cpus
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, service_errors
from vertex_vllm.vertex_ai.resource_names import ResourceName


@dataclass(frozen=True)
class Held:
    """Part of one quota that a deployed model holds."""

    endpoint_id: str
    quota_id: str
    least: int
    """Accelerators, or CPUs, with as few replicas as it may have."""
    most: int
    """Accelerators, or CPUs, with as many replicas as it may have."""


def held(project: str, region: str) -> tuple[Held, ...]:
    """Uses by all endpoints of the region. Raises ServiceError if they cannot be listed."""
    request = vertex.ListEndpointsRequest(parent=f"projects/{project}/locations/{region}")
    with service_errors(f"Listing the endpoints of {project} in {region}", ServiceError):
        listed = endpoint_client(region).list_endpoints(request, retry=RETRY, timeout=CALL_SECONDS)
        return tuple(
            one
            for endpoint in listed
            for deployed in endpoint.deployed_models
            for one in _held(endpoint.name, deployed)
        )


def accelerators_in_use(project: str, region: str) -> Mapping[str, int]:
    """Cloud Quotas id → accelerators (of the CPUs' quota: CPUs) of all endpoints at their largest. Raises as `held`."""
    total: Counter[str] = Counter()
    for one in held(project, region):
        total[one.quota_id] += one.most
    return total


def _held(endpoint_name: str, deployed: vertex.DeployedModel) -> Iterator[Held]:
    resources = deployed.dedicated_resources
    machine = resources.machine_spec
    endpoint_id = ResourceName.parse(endpoint_name, "endpoints").id
    least, most = resources.min_replica_count, max(resources.min_replica_count, resources.max_replica_count)
    accelerator = load_catalog().accelerators.get(machine.accelerator_type.name)
    preemptible = resources.spot or "flex_start" in resources
    if accelerator and machine.accelerator_count:
        count = machine.accelerator_count
        yield Held(endpoint_id, accelerator.quota_id(preemptible), count * least, count * most)
    if (cpus := n1_cpus(machine.machine_type)) and not preemptible:
        yield Held(endpoint_id, CPU_QUOTA, cpus * least, cpus * most)
