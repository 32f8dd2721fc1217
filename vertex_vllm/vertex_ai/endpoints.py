"""Finds or creates an Endpoint, and reads what is deployed on it."""

import logging

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex
from google.longrunning import operations_pb2

from vertex_vllm.errors import DeploymentError, InputError
from vertex_vllm.labels import DEPLOYMENT_LABEL, OPERATION_LABEL, belongs
from vertex_vllm.retries import TRANSIENT
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, service_errors
from vertex_vllm.vertex_ai.interruption import Interruption
from vertex_vllm.vertex_ai.operations import Deadline, OperationUnfinishedError, failure, wait_for_operation
from vertex_vllm.vertex_ai.resource_names import ResourceName

_LOOK_AGAIN_SECONDS = 2.0
_DELETE_SECONDS = 120.0
_NOTE_SECONDS = 5.0
"""Seconds for each of the two calls of an attempt: a signal that arrives meanwhile is noticed afterwards."""
_NOTE_ATTEMPTS = 3

log = logging.getLogger(__name__)


def get_endpoint(
    client: vertex.EndpointServiceClient, name: str, seconds: float = CALL_SECONDS
) -> vertex.Endpoint | None:
    """The Endpoint, or None if it does not exist; `seconds` limits the call with its retries."""
    try:
        return client.get_endpoint(name=name, retry=RETRY.with_timeout(seconds), timeout=seconds)
    except exceptions.NotFound:
        return None


def require_serving(endpoint_name: str) -> ResourceName:
    """The name of an Endpoint that exists and has a deployed model. Raises InputError for any other."""
    name = ResourceName.parse(endpoint_name, "endpoints")
    with service_errors(f"Looking for endpoint {name.id}"):
        endpoint = get_endpoint(endpoint_client(name.region), str(name))
    if endpoint is None:
        raise InputError("There is no such endpoint", where=str(name), fix="vertex-vllm submit makes one.")
    if not endpoint.deployed_models:
        raise InputError("Nothing is deployed on this endpoint", where=str(name), fix="Deploy to it first.")
    return name


def ensure_endpoint(
    client: vertex.EndpointServiceClient,
    request: vertex.CreateEndpointRequest,
    deadline: Deadline,
    asked: Interruption,
) -> vertex.Endpoint:
    """The Endpoint of that id, created if it does not exist.

    Two callers that create it at the same moment get the same one. Raises DeploymentError where an
    endpoint of that id is not this project's, or cannot be made in time; OperationUnfinishedError on a signal.
    """
    name = f"{request.parent}/endpoints/{request.endpoint_id}"
    while deadline.left:
        endpoint = get_endpoint(client, name)
        if endpoint is not None:
            return _ours(endpoint, request)
        _create(client, request, deadline, asked)
        if get_endpoint(client, name) is None and asked.wait(_LOOK_AGAIN_SECONDS):
            raise OperationUnfinishedError(name)
    raise DeploymentError(f"The endpoint could not be made in {deadline.seconds:.0f} s", where=name)


def _create(
    client: vertex.EndpointServiceClient,
    request: vertex.CreateEndpointRequest,
    deadline: Deadline,
    asked: Interruption,
) -> None:
    try:
        creation = client.create_endpoint(request, timeout=CALL_SECONDS)
    except (exceptions.AlreadyExists, *TRANSIENT):
        return  # Being made by an earlier attempt or another run, or perhaps by this very call: look again.
    operation = wait_for_operation(client, creation.operation.name, deadline, "Creating the endpoint", asked.wait)
    refusal = failure(operation)
    if refusal and refusal.code != "ALREADY_EXISTS":
        raise DeploymentError(f"Vertex AI could not create endpoint {request.endpoint_id}: {refusal}", refusal=refusal)


def _ours(endpoint: vertex.Endpoint, request: vertex.CreateEndpointRequest) -> vertex.Endpoint:
    if belongs(endpoint.labels, request.endpoint.labels[DEPLOYMENT_LABEL]):
        return endpoint
    raise DeploymentError(
        "An endpoint of this id exists and does not carry this deployment's labels, so it is not touched",
        where=endpoint.name,
        fix="Give the deployment another name, or delete that endpoint.",
    )


def delete_if_empty(client: vertex.EndpointServiceClient, name: str) -> None:
    """Deletes an Endpoint on which nothing is deployed or being deployed; leaves any other alone."""
    endpoint = get_endpoint(client, name)
    if endpoint is None or endpoint.deployed_models or unfinished_deploys(client, name):
        return
    started = client.delete_endpoint(name=name, timeout=CALL_SECONDS)
    operation = wait_for_operation(client, started.operation.name, Deadline(_DELETE_SECONDS), "Deleting the endpoint")
    if refusal := failure(operation):
        raise DeploymentError(f"Vertex AI could not delete it: {refusal}", where=name, refusal=refusal)


def deployed_versions(endpoint: vertex.Endpoint, model: ResourceName) -> list[vertex.DeployedModel]:
    """The endpoint's deployed models of exactly this version of a Model."""
    return [deployed for deployed in endpoint.deployed_models if _model_of(deployed).names_same(model)]


def _model_of(deployed: vertex.DeployedModel) -> ResourceName:
    name = ResourceName.parse(deployed.model, "models")
    return name.with_version(name.version or deployed.model_version_id)


def note_deploy(client: vertex.EndpointServiceClient, endpoint_name: str, operation_name: str) -> None:
    """Writes the operation's id into a label of the endpoint, so that a later run can end it where listing operations
    is not permitted.

    Best effort: a step that is killed leaves more behind without it, and nothing else depends on it.
    """
    patience = RETRY.with_timeout(_NOTE_SECONDS)
    for attempts_left in reversed(range(_NOTE_ATTEMPTS)):
        try:
            noted = vertex.Endpoint(client.get_endpoint(name=endpoint_name, retry=patience, timeout=_NOTE_SECONDS))
            noted.labels[OPERATION_LABEL] = operation_name.rpartition("/")[2]
            client.update_endpoint(endpoint=noted, update_mask="labels", retry=patience, timeout=_NOTE_SECONDS)
        except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
            # The deploy itself, or somebody else, changed the endpoint between the two calls: read it again.
            if isinstance(error, exceptions.Aborted) and attempts_left:
                continue
            log.warning("Operation %s could not be noted on %s: %s", operation_name, endpoint_name, error)
        return


def unfinished_deploys(client: vertex.EndpointServiceClient, endpoint_name: str) -> list[str]:
    """Names of the deploy operations of any caller that are still active at an endpoint.

    Those that Vertex AI lists, and the one that is noted on the endpoint: a list "may return UNIMPLEMENTED" (REST
    reference, `operations.list`).
    """
    names = _listed_deploys(client, endpoint_name)
    noted = _noted_deploy(client, endpoint_name)
    return [*names, noted] if noted and noted not in names else names


def _noted_deploy(client: vertex.EndpointServiceClient, endpoint_name: str) -> str:
    """Name of the operation in the label; empty without label, or if it has ended."""
    endpoint = get_endpoint(client, endpoint_name)
    noted = endpoint.labels.get(OPERATION_LABEL, "") if endpoint else ""
    if not noted:
        return ""
    name = f"{endpoint_name}/operations/{noted}"
    try:
        request = operations_pb2.GetOperationRequest(name=name)
        return "" if client.get_operation(request, retry=RETRY, timeout=CALL_SECONDS).done else name
    except exceptions.NotFound:
        return ""


def _listed_deploys(client: vertex.EndpointServiceClient, endpoint_name: str) -> list[str]:
    request = operations_pb2.ListOperationsRequest(name=endpoint_name)
    names: list[str] = []
    page = None
    while page is None or page.next_page_token:
        request.page_token = page.next_page_token if page else ""
        try:
            page = client.list_operations(request, retry=RETRY, timeout=CALL_SECONDS)
        except exceptions.MethodNotImplemented as error:
            log.warning("The operations of %s cannot be listed, only the noted one is known: %s", endpoint_name, error)
            return names
        names += [operation.name for operation in page.operations if not operation.done and is_deploy(operation)]
    return names


def is_deploy(operation: operations_pb2.Operation) -> bool:
    """Whether an operation of an endpoint deploys a model."""
    # Whole type: google.cloud.aiplatform.v1beta1.DeployModelOperationMetadata, or v1's.
    return str(operation.metadata.type_url).endswith(".DeployModelOperationMetadata")
