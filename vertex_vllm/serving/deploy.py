"""Deploys a model version to an endpoint: once, within a deadline, and undone if the deploy does not end."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.error_data import Attempt, Refusal
from vertex_vllm.errors import DeploymentError, StockoutError
from vertex_vllm.google.error_boundary import refusal_of
from vertex_vllm.labels import OPERATION_LABEL, Owner, extended
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.project_names import serving_account
from vertex_vllm.retries import TRANSIENT
from vertex_vllm.serving.requests import deploy_request, deployed_model_id, endpoint_request
from vertex_vllm.serving.stockouts import stockout_of
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, service_errors
from vertex_vllm.vertex_ai.endpoints import (
    deployed_versions,
    ensure_endpoint,
    get_endpoint,
    note_deploy,
    unfinished_deploys,
)
from vertex_vllm.vertex_ai.interruption import Interruption, interruption
from vertex_vllm.vertex_ai.operations import (
    Deadline,
    OperationUnfinishedError,
    cancel_operation,
    failure,
    wait_for_operation,
)
from vertex_vllm.vertex_ai.resource_names import ResourceName
from vertex_vllm.vertex_ai.stopping import STOPPED_CALL_SECONDS, stoppable
from vertex_vllm.vertex_ai.undeploy import send_undeploys, undeploy

_ROUNDS = 4
"""How often to look at the endpoint: once after each lost answer, and once after an earlier attempt's failure."""
_AFTER_LOST_ANSWER_SECONDS = 3.0
_CANCEL_SECONDS = 60.0
"""Seconds for a cancelled operation to end. Vertex AI documents no bound; afterwards teardown has to look again."""
_UNDO_SECONDS = 300.0
# After SIGTERM. Vertex AI documents no grace; Kubernetes kills after 30 s. In all: the call that is under way, the
# cancellation and a look at the endpoint (each as long as stopping.py lets it), and this wait, whose last poll may take
# a call's time: 24 s if each of them hangs. The undeploy is then sent and not waited for.
_STOPPED_WAIT_SECONDS = 8.0

log = logging.getLogger(__name__)


def ignore(operation_name: str) -> None:
    """Takes the operation's name for a caller that does not need it."""


@dataclass(frozen=True)
class _Target:
    """A deploy: endpoint, model version, client and deadline."""

    client: vertex.EndpointServiceClient
    endpoint: str
    machine_type: str
    accelerator_type: str
    model: ResourceName
    deadline: Deadline
    asked: Interruption

    def served(self) -> bool:
        endpoint = get_endpoint(self.client, self.endpoint)
        return endpoint is not None and bool(deployed_versions(endpoint, self.model))


def deploy_model(
    project: str,
    plan: ServingPlan,
    model_name: str,
    owner: Owner,
    service_account: str,
    deadline_seconds: int,
    on_operation: Callable[[str], None] = ignore,
) -> str:
    """Resource name of the Endpoint that serves `model_name`, a Model's name with its version.

    Reuses what an earlier attempt created: the endpoint, the deployed model, or an active deploy, which it joins.
    `on_operation` gets the name of the operation, as soon as it is known.
    On SIGTERM, SIGINT or when `deadline_seconds` have passed, the operation is cancelled and every replica that came up
    is undeployed. Raises DeploymentError then, and when Vertex AI refuses or fails, StockoutError where it has no such
    machines. An empty `service_account` means the serving account that bootstrap creates.
    """
    model = ResourceName.parse(model_name, "models")
    deadline = Deadline(deadline_seconds)
    request = endpoint_request(project, plan, owner)
    with service_errors(f"Deploying {model.id}@{model.version}"), interruption() as asked:
        client = stoppable(endpoint_client(plan.region), asked)
        try:
            endpoint = ensure_endpoint(client, request, deadline, asked)
        except OperationUnfinishedError as error:
            raise _stopped(asked, deadline, "before anything was deployed") from error
        target = _Target(client, endpoint.name, plan.machine_type, plan.accelerator_type, model, deadline, asked)
        deploy = deploy_request(plan, endpoint.name, model, serving_account(service_account, project))
        _bring_up(target, endpoint, request.endpoint, deploy, on_operation)
        _extend(client, endpoint.name, request.endpoint)
        return str(endpoint.name)


def _bring_up(
    target: _Target,
    endpoint: vertex.Endpoint,
    wanted: vertex.Endpoint,
    request: vertex.DeployModelRequest,
    on_operation: Callable[[str], None],
) -> None:
    for rounds_left in reversed(range(_ROUNDS)):
        unfinished = unfinished_deploys(target.client, target.endpoint)
        if unfinished:
            log.info("Joining deploy operation %s, which is still active", unfinished[0])
            if refusal := _finish(target, unfinished[0], on_operation):
                log.warning("The deploy that was joined failed, starting another: %s", refusal)
        elif target.served():
            return
        elif (started := _start(target, endpoint, wanted, request, patient=rounds_left > 0)) and (
            refusal := _finish(target, started, on_operation, ours=True)
        ):
            raise _failed(target, refusal, _undo(target))
    if not target.served():
        raise DeploymentError(
            f"{target.model.id} is not deployed, though {_ROUNDS} deploys were begun or waited for",
            where=target.endpoint,
        )


def _start(
    target: _Target,
    endpoint: vertex.Endpoint,
    wanted: vertex.Endpoint,
    request: vertex.DeployModelRequest,
    *,
    patient: bool,
) -> str:
    """Name of a new deploy operation; empty where only another look can show it, if `patient`."""
    if target.asked.wait(0) or not target.deadline.left:
        raise _stopped(target.asked, target.deadline, "before anything was deployed")
    _take_over(target.client, endpoint, wanted)
    try:
        started = target.client.deploy_model(request, timeout=CALL_SECONDS)
    except exceptions.TooManyRequests as error:
        # No machine or no quota: another attempt here would fail the same way.
        raise _failed(target, refusal_of(error), "nothing came up") from error
    except (exceptions.AlreadyExists, *TRANSIENT) as error:
        if isinstance(error, exceptions.GoogleAPICallError) and stockout_of(refusal_of(error)):
            raise _failed(target, refusal_of(error), "nothing came up") from error
        if not patient:
            raise
        log.warning("Looking whether the deploy request went through: %s", error)
        target.asked.wait(_AFTER_LOST_ANSWER_SECONDS)
        return ""
    name: str = started.operation.name
    log.info("Deploying %s to %s: operation %s", target.model, target.endpoint, name)
    return name


def _take_over(client: vertex.EndpointServiceClient, endpoint: vertex.Endpoint, wanted: vertex.Endpoint) -> None:
    """Labels an endpoint that an earlier run left empty as this run's."""
    _relabel(client, endpoint, dict(wanted.labels))


def _extend(client: vertex.EndpointServiceClient, name: str, wanted: vertex.Endpoint) -> None:
    """Extends the expiry of what another run deployed to that of this run, if this run's is later."""
    endpoint = get_endpoint(client, name)
    if endpoint is not None:
        before = {key: value for key, value in endpoint.labels.items() if key != OPERATION_LABEL}
        labels = extended(before, wanted.labels)
        try:
            _relabel(client, endpoint, labels)
        except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
            if labels != before:
                raise
            log.warning("The note of the deploy stays on %s: %s", name, error)


def _relabel(client: vertex.EndpointServiceClient, endpoint: vertex.Endpoint, labels: dict[str, str]) -> None:
    if dict(endpoint.labels) != labels:
        relabelled = vertex.Endpoint(endpoint)
        relabelled.labels, relabelled.etag = labels, ""
        client.update_endpoint(endpoint=relabelled, update_mask="labels", retry=RETRY, timeout=CALL_SECONDS)


def _finish(
    target: _Target, operation_name: str, on_operation: Callable[[str], None], *, ours: bool = False
) -> Refusal | None:
    """Waits, and returns the operation's error, None if it succeeded. Undoes the deploy if the wait is interrupted.

    `ours`: this run began the operation, so it is noted on the endpoint.
    """
    doing = f"Deploying {target.model.id}@{target.model.version}"
    try:
        on_operation(operation_name)
        if ours:
            note_deploy(target.client, target.endpoint, operation_name)
        operation = wait_for_operation(target.client, operation_name, target.deadline, doing, target.asked.wait)
    except OperationUnfinishedError:
        raise _broken_off(target, operation_name, _why(target.asked, target.deadline)) from None
    except Exception as error:  # Any error: otherwise nothing watches the replicas that the operation brings up.
        raise _broken_off(target, operation_name, f"Lost hold of the deploy: {error}") from error
    if refusal := failure(operation):
        return refusal
    if target.asked.signal_name:  # It came just as the operation ended: no later step will use the replicas.
        said = f"{_why(target.asked, target.deadline)}: {_undo(target)}"
        raise DeploymentError(said, where=target.endpoint, stopped_by=target.asked.signal_name)
    log.info("%s: done after %.0f s", doing, target.deadline.elapsed)
    return None


def _broken_off(target: _Target, operation_name: str, why: str) -> DeploymentError:
    log.warning("%s: cancelling %s", why, operation_name)
    stopped = bool(target.asked.signal_name)
    patience = Deadline(_STOPPED_WAIT_SECONDS if stopped else _CANCEL_SECONDS)
    cancel_operation(target.client, operation_name, STOPPED_CALL_SECONDS if stopped else CALL_SECONDS)
    try:
        wait_for_operation(target.client, operation_name, patience, "Cancelling the deploy")
        ended = "the operation was cancelled"
    except OperationUnfinishedError:
        ended = f"the operation was cancelled and has not ended {patience.seconds:.0f} s later"
    return DeploymentError(
        f"{why}: {ended}; {_undo(target)}",
        where=target.endpoint,
        fix=f"The operation was {operation_name}; teardown removes the empty endpoint.",
        operation=operation_name,
        stopped_by=target.asked.signal_name,
    )


def _undo(target: _Target) -> str:
    """Undeploys the replicas of this deploy and describes the result; after a stop signal, without waiting for it."""
    if target.asked.signal_name:
        return _undo_at_once(target)
    try:
        endpoint = get_endpoint(target.client, target.endpoint)
    except (exceptions.RetryError, *TRANSIENT) as error:
        return f"REPLICAS MAY BE RUNNING AND BILLED (the endpoint cannot be read: {error}): run teardown"
    there = [deployed.id for deployed in deployed_versions(endpoint, target.model)] if endpoint else []
    if not there:
        return "nothing came up"
    try:
        undeploy(target.client, target.endpoint, there, Deadline(_UNDO_SECONDS))
    except DeploymentError as error:
        return f"the rollback failed, and the model is still deployed and billed ({error}): run teardown"
    return "what came up was undeployed"


def _undo_at_once(target: _Target) -> str:
    """Sends the undeploy of the deployed model; if the endpoint cannot be read, of the requested one."""
    try:
        endpoint = get_endpoint(target.client, target.endpoint, STOPPED_CALL_SECONDS)
    except (exceptions.RetryError, *TRANSIENT) as error:
        log.warning("Undeploying what was asked for, as its endpoint cannot be asked: %s", error)
        presumed = vertex.DeployedModel(id=deployed_model_id(target.model))
        endpoint = vertex.Endpoint(name=target.endpoint, deployed_models=[presumed])
        there = [presumed.id]
    else:
        there = [deployed.id for deployed in deployed_versions(endpoint, target.model)] if endpoint else []
    if endpoint is None or not there:
        return "nothing came up"
    undeployed = send_undeploys(target.client, endpoint, there)
    return "what came up was undeployed" if undeployed else "what came up is being undeployed"


def _why(asked: Interruption, deadline: Deadline) -> str:
    if asked.signal_name:
        return f"Stopped by {asked.signal_name} after {deadline.elapsed:.0f} s"
    return f"Not deployed within {deadline.seconds:.0f} s"


def _stopped(asked: Interruption, deadline: Deadline, when: str) -> DeploymentError:
    return DeploymentError(f"{_why(asked, deadline)} {when}", stopped_by=asked.signal_name)


def _failed(target: _Target, refusal: Refusal, left: str) -> DeploymentError:
    endpoint = ResourceName.parse(target.endpoint, "endpoints")
    said = f"Vertex AI could not deploy {target.model.id}@{target.model.version}: {refusal} ({left})"
    if stockout := stockout_of(refusal):
        attempt = Attempt(endpoint.region, target.machine_type, target.accelerator_type, stockout)
        return StockoutError(said, where=target.endpoint, attempts=(attempt,), refusal=refusal)
    return DeploymentError(
        said,
        where=target.endpoint,
        refusal=refusal,
        fix=(
            "The cause is in the container's log: gcloud logging read "
            f'\'resource.type="aiplatform.googleapis.com/Endpoint" AND resource.labels.endpoint_id="{endpoint.id}"\' '
            f"--project={endpoint.project}"
        ),
    )
