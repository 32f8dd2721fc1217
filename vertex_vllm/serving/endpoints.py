"""Finding an Endpoint, or making it; and what runs on it."""

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex
from google.longrunning import operations_pb2

from vertex_vllm.errors import DeploymentError, InputError
from vertex_vllm.lifecycle.ownership import MANAGED_BY
from vertex_vllm.resource_names import ResourceName
from vertex_vllm.serving.clients import CALL_SECONDS, RETRY, TRANSIENT, endpoint_client, service_errors
from vertex_vllm.serving.interruption import Interruption
from vertex_vllm.serving.operations import Deadline, OperationUnfinishedError, failure, wait_for_operation

_LOOK_AGAIN_SECONDS = 2.0
_DELETE_SECONDS = 120.0


def get_endpoint(client: vertex.EndpointServiceClient, name: str) -> vertex.Endpoint | None:
    try:
        return client.get_endpoint(name=name, retry=RETRY, timeout=CALL_SECONDS)
    except exceptions.NotFound:
        return None


def require_serving(endpoint_name: str) -> ResourceName:
    """The name of an Endpoint that is there and has something deployed. Raises InputError for any other."""
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
    """The Endpoint of that id, made if it is not there.

    Somebody else making it at the same moment is no failure: both get the same one. Raises DeploymentError where an
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
    if refusal and not refusal.startswith("ALREADY_EXISTS"):
        raise DeploymentError(f"Vertex AI could not make endpoint {request.endpoint_id}: {refusal}")


def _ours(endpoint: vertex.Endpoint, request: vertex.CreateEndpointRequest) -> vertex.Endpoint:
    deployment_label = "vertex-vllm-deployment"
    if endpoint.labels.get("managed-by") == MANAGED_BY and (
        endpoint.labels.get(deployment_label) == request.endpoint.labels[deployment_label]
    ):
        return endpoint
    raise DeploymentError(
        "An endpoint of this id exists and does not carry this deployment's labels, so it is not touched",
        where=endpoint.name,
        fix="Give the deployment another name, or delete that endpoint.",
    )


def delete_if_empty(client: vertex.EndpointServiceClient, name: str) -> None:
    """Deletes an Endpoint on which nothing is deployed or being deployed; any other stays as it is."""
    endpoint = get_endpoint(client, name)
    if endpoint is None or endpoint.deployed_models or unfinished_deploys(client, name):
        return
    started = client.delete_endpoint(name=name, timeout=CALL_SECONDS)
    operation = wait_for_operation(client, started.operation.name, Deadline(_DELETE_SECONDS), "Deleting the endpoint")
    if refusal := failure(operation):
        raise DeploymentError(f"Vertex AI could not delete it: {refusal}", where=name)


def deployed_versions(endpoint: vertex.Endpoint, model: ResourceName) -> list[vertex.DeployedModel]:
    """What runs on the endpoint of exactly this version of a Model."""
    return [deployed for deployed in endpoint.deployed_models if _model_of(deployed).names_same(model)]


def _model_of(deployed: vertex.DeployedModel) -> ResourceName:
    name = ResourceName.parse(deployed.model, "models")
    return name.with_version(name.version or deployed.model_version_id)


def unfinished_deploys(client: vertex.EndpointServiceClient, endpoint_name: str) -> list[str]:
    """Names of the deploy operations that are still going on at an endpoint, whoever began them."""
    request = operations_pb2.ListOperationsRequest(name=endpoint_name)
    names, page = [], None
    while page is None or page.next_page_token:
        request.page_token = page.next_page_token if page else ""
        page = client.list_operations(request, retry=RETRY, timeout=CALL_SECONDS)
        names += [operation.name for operation in page.operations if not operation.done and _is_deploy(operation)]
    return names


def _is_deploy(operation: operations_pb2.Operation) -> bool:
    # Whole type: google.cloud.aiplatform.v1beta1.DeployModelOperationMetadata, or v1's.
    return str(operation.metadata.type_url).endswith(".DeployModelOperationMetadata")
