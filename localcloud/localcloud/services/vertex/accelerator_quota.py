"""The accelerators of a deployed model, and the check against a project's quotas."""

import re
from typing import Any

from google.cloud.aiplatform_v1beta1.types import AcceleratorType

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.services.cloud_quotas import quotas
from localcloud.services.vertex.machines import AcceleratorNeed, load_machines
from localcloud.services.vertex.records import deployed_models, pending_deployments
from localcloud.services.vertex.resource_names import EndpointName

_CPUS = "CustomModelServingCPUsPerProjectPerRegion"
_N1 = re.compile(r"n1-[a-z]+-(?P<cpus>\d+)")


def accelerator_need(deployed: Any, region: str) -> AcceleratorNeed | None:
    """Accelerators of one replica of a raw DeployedModel, or None. Raises ApiError for an unavailable machine."""
    spec = deployed.dedicated_resources.machine_spec
    accelerator = AcceleratorType(spec.accelerator_type).name if spec.accelerator_type else ""
    need = load_machines().accelerator_need(spec.machine_type, accelerator, spec.accelerator_count, region)
    if need is None or spec.multihost_gpu_node_count <= 1:
        return need
    return AcceleratorNeed(need.accelerator, need.count * spec.multihost_gpu_node_count)


def is_preemptible(resources: Any) -> bool:
    """Whether raw DedicatedResources count against the preemptible quotas: spot and flex-start machines."""
    return bool(resources.spot) or resources.HasField("flex_start")


def check_quota(cloud: Cloud, endpoint: EndpointName, deployed: Any) -> None:
    """Raises ApiError RESOURCE_EXHAUSTED if `deployed`, with all other models, could exceed the project's quotas.

    All replicas that may be started count (`DedicatedResources.max_replica_count`). Spot
    and flex-start VMs have quotas of their own. The words are those of public logs: "429 The following quotas are
    exceeded: CustomModelServingA10080GBGPUsPerProjectPerRegion", as the error of the deployment's operation.
    """
    region, location = endpoint.location.region, str(endpoint.location)
    others = [
        _held(other, region)
        for place, other in (*deployed_models(cloud, location), *pending_deployments(cloud, location))
        if (place, other.id) != (str(endpoint), deployed.id)
    ]
    exceeded = [
        quota_id
        for quota_id, wanted in _held(deployed, region).items()
        if wanted + sum(held.get(quota_id, 0) for held in others) > _limit(cloud, endpoint, quota_id)
    ]
    if exceeded:
        raise ApiError("RESOURCE_EXHAUSTED", f"The following quotas are exceeded: {', '.join(exceeded)}")


def _held(deployed: Any, region: str) -> dict[str, int]:
    """By quota: the maximal number of accelerators of all replicas of a raw DeployedModel."""
    resources = deployed.dedicated_resources
    need, replicas = accelerator_need(deployed, region), int(resources.max_replica_count)
    held = {need.accelerator.quota_id(is_preemptible(resources)): need.count * replicas} if need else {}
    n1 = _N1.fullmatch(resources.machine_spec.machine_type)
    return {**held, _CPUS: int(n1["cpus"]) * replicas} if n1 and not is_preemptible(resources) else held


def _limit(cloud: Cloud, endpoint: EndpointName, quota_id: str) -> int:
    location = endpoint.location
    return quotas.quota_limit(cloud, project=location.project_number, region=location.region, quota_id=quota_id)
