"""Accelerators that a deployed model holds, and whether a project's quota has room for them."""

from typing import Any

from google.cloud.aiplatform_v1beta1.types import AcceleratorType

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google import cloud_quotas
from localcloud.vertex.machines import AcceleratorNeed, load_machines
from localcloud.vertex.names import EndpointName
from localcloud.vertex.records import deployed_models, pending_deployments


def accelerator_need(deployed: Any, region: str) -> AcceleratorNeed | None:
    """What one replica of a raw DeployedModel holds, or None. Raises ApiError where Vertex AI does not rent that."""
    spec = deployed.dedicated_resources.machine_spec
    accelerator = AcceleratorType(spec.accelerator_type).name if spec.accelerator_type else ""
    need = load_machines().accelerator_need(spec.machine_type, accelerator, spec.accelerator_count, region)
    if need is None or spec.multihost_gpu_node_count <= 1:
        return need
    return AcceleratorNeed(need.accelerator, need.count * spec.multihost_gpu_node_count)


def check_quota(cloud: Cloud, endpoint: EndpointName, deployed: Any) -> None:
    """Raises ApiError RESOURCE_EXHAUSTED when `deployed`, with all others, could hold more than the project's quota.

    A replica that may be started counts as one that runs (`DedicatedResources.max_replica_count`). Spot VMs have a
    quota of their own.
    """
    region, spot = endpoint.location.region, deployed.dedicated_resources.spot
    need = accelerator_need(deployed, region)
    if need is None:
        return
    location = str(endpoint.location)
    held = sum(
        _held(other, need, spot, region)
        for place, other in (*deployed_models(cloud, location), *pending_deployments(cloud, location))
        if (place, other.id) != (str(endpoint), deployed.id)
    )
    wanted = need.count * deployed.dedicated_resources.max_replica_count
    quota_id = need.accelerator.quota_id(spot)
    limit = cloud_quotas.quota_limit(cloud, project=endpoint.location.project_number, region=region, quota_id=quota_id)
    if held + wanted > limit:
        raise ApiError(
            "RESOURCE_EXHAUSTED",
            f"The following quota metrics exceed quota limits: {cloud_quotas.catalogue().quotas[quota_id].metric}. "
            f"In {region} the limit is {limit}; {held} are held already, and this could hold {wanted}.",
        )


def _held(deployed: Any, need: AcceleratorNeed, spot: bool, region: str) -> int:
    resources = deployed.dedicated_resources
    own = accelerator_need(deployed, region)
    if own is None or resources.spot != spot or own.accelerator != need.accelerator:
        return 0
    return own.count * int(resources.max_replica_count)
