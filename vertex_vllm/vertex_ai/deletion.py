"""Deletes an Endpoint, or versions of a Model, in any state."""

import logging
from collections.abc import Callable, Collection

from google.api_core import exceptions
from google.api_core.operation import Operation
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import DeploymentError
from vertex_vllm.retries import TRANSIENT
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY
from vertex_vllm.vertex_ai.endpoints import get_endpoint, unfinished_deploys
from vertex_vllm.vertex_ai.find_by_label import DEFAULT, model_versions
from vertex_vllm.vertex_ai.operations import (
    Deadline,
    OperationUnfinishedError,
    cancel_operation,
    failure,
    wait_for_operation,
)
from vertex_vllm.vertex_ai.resource_names import ResourceName
from vertex_vllm.vertex_ai.undeploy import undeploy

_TRY_AGAIN_SECONDS = 2.0
_CANCEL_SECONDS = 120.0

log = logging.getLogger(__name__)


def remove_endpoint(client: vertex.EndpointServiceClient, name: str, deadline: Deadline) -> None:
    """Cancels its unfinished deploys, undeploys what runs on it and deletes it, until it is gone.

    An endpoint that no longer exists is success. Raises DeploymentError with the last refusal when the deadline passes.
    """
    while True:
        _end_deploys(client, name, deadline)
        endpoint = get_endpoint(client, name)
        if endpoint is None:
            return
        undeploy(client, name, [deployed.id for deployed in endpoint.deployed_models], deadline)
        refusal = _delete(client, lambda: client.delete_endpoint(name=name, timeout=CALL_SECONDS), deadline)
        if refusal:
            _wait_before_retry(name, refusal, deadline)


def _end_deploys(client: vertex.EndpointServiceClient, name: str, deadline: Deadline) -> None:
    try:
        unfinished = unfinished_deploys(client, name)
        for operation_name in unfinished:
            log.info("Cancelling deploy operation %s", operation_name)
            cancel_operation(client, operation_name)
        for operation_name in unfinished:
            patience = Deadline(min(_CANCEL_SECONDS, deadline.left))
            wait_for_operation(client, operation_name, patience, f"Cancelling {operation_name}")
    except (exceptions.NotFound, OperationUnfinishedError) as error:
        log.info("Deploys at %s: %s", name, error)


def remove_versions(
    client: vertex.ModelServiceClient,
    model: ResourceName,
    doomed: Collection[str],
    deadline: Deadline,
    lasting: Collection[str] = (),
) -> None:
    """Deletes the versions with those ids, and the Model with its last one.

    A Model may be "in use" for some moments after its undeploy: deletions are retried until the deadline. Raises
    DeploymentError with the last refusal then, and at once for versions that only endpoints of `lasting` use, because
    nothing will undeploy them.
    """
    while True:
        versions = model_versions(client, model)
        there = [version for version in versions if version.version_id in doomed]
        if not there:
            return
        # Versions in use last: one that cannot be deleted must not stop the others.
        free = [version for version in there if not version.deployed_models]
        users = {use.endpoint for version in there for use in version.deployed_models}
        if not free and users <= set(lasting):
            raise DeploymentError(f"{', '.join(sorted(users))} could not be removed, and serves it", where=str(model))
        refusal = _delete(client, _next_deletion(client, model, versions, free or there), deadline)
        if refusal:
            _wait_before_retry(str(model), refusal, deadline)


def _next_deletion(
    client: vertex.ModelServiceClient,
    model: ResourceName,
    versions: Collection[vertex.Model],
    going: Collection[vertex.Model],
) -> Callable[[], Operation]:
    if len(going) == len(versions):
        return lambda: client.delete_model(name=str(model), timeout=CALL_SECONDS)
    first = next(iter(going))
    name = str(model.with_version(first.version_id))

    def delete_version() -> Operation:
        # Vertex AI does not delete the default version while others exist: another version becomes the default first.
        if DEFAULT in first.version_aliases:
            heir = [version for version in versions if version not in going][-1]
            heir_name = str(model.with_version(heir.version_id))
            client.merge_version_aliases(name=heir_name, version_aliases=[DEFAULT], retry=RETRY, timeout=CALL_SECONDS)
        return client.delete_model_version(name=name, timeout=CALL_SECONDS)

    return delete_version


def _delete(
    client: vertex.EndpointServiceClient | vertex.ModelServiceClient,
    start: Callable[[], Operation],
    deadline: Deadline,
) -> str:
    """Starts a deletion and waits for it; returns why it failed, empty where it worked."""
    try:
        started = start()
        refusal = failure(wait_for_operation(client, started.operation.name, deadline, "Deleting"))
    except exceptions.NotFound:
        return ""
    except (exceptions.FailedPrecondition, exceptions.Aborted, *TRANSIENT) as error:
        return str(error)
    except OperationUnfinishedError:
        return "the deletion has not ended"
    return str(refusal) if refusal else ""


def _wait_before_retry(name: str, refusal: str, deadline: Deadline) -> None:
    log.info("%s cannot be deleted yet: %s", name, refusal)
    if not deadline.left:
        raise DeploymentError(f"Not deleted after {deadline.seconds:.0f} s: {refusal}", where=name)
    deadline.pause(min(_TRY_AGAIN_SECONDS, deadline.left))
