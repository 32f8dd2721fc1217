"""Flex-start machines: a model is undeployed from them when the requested time is over.

Source: "Use Flex-start VMs with inference" (Vertex AI), 2026-11-30. No thread waits for that time: a call that reads
endpoints undeploys the model, as does a move of the clock.
"""

from contextlib import suppress
from datetime import UTC, timedelta
from typing import Any

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.services.vertex.deployments import undeploy
from localcloud.services.vertex.records import ENDPOINTS
from localcloud.services.vertex.resource_names import read_endpoint


def undeploy_expired(cloud: Cloud, endpoint: str = "") -> None:
    """Undeploys each model whose flex-start machines have exceeded their requested time.

    `endpoint`: the name of the only endpoint to check; "" for all.
    """
    records = [cloud.store.get(ENDPOINTS, endpoint)] if endpoint else cloud.store.list(ENDPOINTS)
    for record in filter(None, records):
        for deployed in record.deployed_models:
            if _is_over(deployed, cloud):
                _undeploy(record, deployed.id, cloud)


def _undeploy(record: Any, deployed_model_id: str, cloud: Cloud) -> None:
    name, split = read_endpoint(record.name, cloud), _traffic_of_others(record, deployed_model_id)
    with suppress(ApiError):  # another call was faster
        undeploy(name, deployed_model_id, split, cloud)


def _is_over(deployed: Any, cloud: Cloud) -> bool:
    resources = deployed.dedicated_resources
    if not resources.HasField("flex_start"):
        return False
    longest = timedelta(seconds=resources.flex_start.max_runtime_duration.ToSeconds())
    asked: Any = deployed.create_time.ToDatetime(tzinfo=UTC)
    return bool(cloud.clock() >= asked + longest)


def _traffic_of_others(record: Any, deployed_model_id: str) -> dict[str, int]:
    """The traffic split without one model. No page documents who gets its share: here it is the
    remaining model with the largest share."""
    split = {id: share for id, share in record.traffic_split.items() if id != deployed_model_id and share}
    if split:
        largest = max(split, key=lambda id: split[id])
        split[largest] += 100 - sum(split.values())
    return split
