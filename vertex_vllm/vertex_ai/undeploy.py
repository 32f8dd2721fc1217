"""Undeploys models from an endpoint, which ends their cost."""

import logging
from collections.abc import Sequence

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import DeploymentError
from vertex_vllm.retries import TRANSIENT
from vertex_vllm.vertex_ai.clients import CALL_SECONDS
from vertex_vllm.vertex_ai.endpoints import get_endpoint
from vertex_vllm.vertex_ai.operations import Deadline, OperationUnfinishedError, failure, wait_for_operation

_TRY_AGAIN_SECONDS = 2.0
_SEND_SECONDS = 5.0

log = logging.getLogger(__name__)


def undeploy(
    client: vertex.EndpointServiceClient, endpoint_name: str, deployed_ids: Sequence[str], deadline: Deadline
) -> list[str]:
    """Undeploys those of `deployed_ids` that exist, and retries until none exists or the deadline passes.

    A model that is gone, or that another caller is undeploying, is not a failure. Returns the undeployed ids; raises
    DeploymentError naming those that remain.
    """
    removed: list[str] = []
    begun: set[str] = set()
    while True:
        endpoint = get_endpoint(client, endpoint_name)
        there = _least_traffic_first(endpoint, deployed_ids) if endpoint else []
        if endpoint is None or not there:
            return removed
        # Each undeploy is sent once even past the deadline: Vertex AI then finishes it by itself.
        following = next((deployed_id for deployed_id in there if deadline.left or deployed_id not in begun), "")
        if not following:
            raise DeploymentError(
                f"Still deployed after {deadline.seconds:.0f} s: {', '.join(there)}", where=endpoint_name
            )
        begun.add(following)
        if _undeploy_one(client, endpoint, following, deadline):
            removed.append(following)
        else:
            deadline.pause(min(_TRY_AGAIN_SECONDS, deadline.left))


def send_undeploys(
    client: vertex.EndpointServiceClient, endpoint: vertex.Endpoint, deployed_ids: Sequence[str]
) -> bool:
    """Sends the undeploy of each once, in the order of the traffic in `endpoint`; returns whether all are undeployed.

    For a process that is about to be killed: Vertex AI finishes what has begun.
    """
    at_once, ids = Deadline(0.0), _least_traffic_first(endpoint, deployed_ids)
    off = [deployed_id for deployed_id in ids if _undeploy_one(client, endpoint, deployed_id, at_once)]
    return off == ids


def _least_traffic_first(endpoint: vertex.Endpoint, deployed_ids: Sequence[str]) -> list[str]:
    there = [deployed.id for deployed in endpoint.deployed_models if deployed.id in deployed_ids]
    return sorted(there, key=lambda deployed_id: endpoint.traffic_split.get(deployed_id, 0))


def _undeploy_one(
    client: vertex.EndpointServiceClient, endpoint: vertex.Endpoint, deployed_id: str, deadline: Deadline
) -> bool:
    """Whether it is undeployed. A model with traffic can be if its traffic moves to another, or if it is the last."""
    others = [deployed.id for deployed in endpoint.deployed_models if deployed.id != deployed_id]
    busiest = max(others, key=lambda other: endpoint.traffic_split.get(other, 0), default="")
    request = vertex.UndeployModelRequest(
        endpoint=endpoint.name, deployed_model_id=deployed_id, traffic_split={busiest: 100} if busiest else {}
    )
    try:
        # Past the deadline this process may be killed at any moment: the request must be sent.
        started = client.undeploy_model(request, timeout=CALL_SECONDS if deadline.left else _SEND_SECONDS)
        operation = wait_for_operation(client, started.operation.name, deadline, f"Undeploying {deployed_id}")
    except exceptions.NotFound:
        return True
    except (exceptions.FailedPrecondition, exceptions.Aborted, OperationUnfinishedError, *TRANSIENT) as error:
        log.info("Undeploying %s from %s: %s", deployed_id, endpoint.name, error)
        return False
    refusal = failure(operation)
    if refusal:
        log.warning("Undeploying %s from %s: %s", deployed_id, endpoint.name, refusal)
    return not refusal
