"""How many accelerators a project's endpoints hold in a region, by the quota that they count against."""

from collections import Counter
from collections.abc import Mapping

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.catalog import load_catalog
from vertex_vllm.errors import ServiceError
from vertex_vllm.serving.clients import CALL_SECONDS, RETRY, endpoint_client, service_errors


def accelerators_in_use(project: str, region: str) -> Mapping[str, int]:
    """Cloud Quotas id → accelerators of all endpoints, whoever made them, with as many replicas as they may have.

    Raises ServiceError where they cannot be listed.
    """
    request = vertex.ListEndpointsRequest(parent=f"projects/{project}/locations/{region}")
    with service_errors(f"Listing the endpoints of {project} in {region}", ServiceError):
        listed = endpoint_client(region).list_endpoints(request, retry=RETRY, timeout=CALL_SECONDS)
        held = [_held(deployed) for endpoint in listed for deployed in endpoint.deployed_models]
    total: Counter[str] = Counter()
    for quota_id, count in held:
        total[quota_id] += count
    return total


def _held(deployed: vertex.DeployedModel) -> tuple[str, int]:
    resources = deployed.dedicated_resources
    machine = resources.machine_spec
    accelerator = load_catalog().accelerators.get(machine.accelerator_type.name)
    replicas = max(resources.min_replica_count, resources.max_replica_count)
    quota_id = accelerator.quota_id(resources.spot) if accelerator and machine.accelerator_count else ""
    return quota_id, machine.accelerator_count * replicas
