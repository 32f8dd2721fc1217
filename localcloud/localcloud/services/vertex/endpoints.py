"""EndpointService: create, get, list, update and delete endpoints; deploy and undeploy models."""

import hashlib
from typing import Any

from google.cloud.aiplatform_v1beta1.types import (
    CreateEndpointOperationMetadata,
    DeleteOperationMetadata,
    Endpoint,
    ListEndpointsResponse,
    MutateDeployedModelOperationMetadata,
    MutateDeployedModelResponse,
    UndeployModelOperationMetadata,
    UpdateEndpointOperationMetadata,
)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud, Part
from localcloud.core.registration import Service
from localcloud.services.vertex.accelerator_quota import check_quota
from localcloud.services.vertex.answer_pages import answer_page
from localcloud.services.vertex.deployments import (
    check_deployed_model,
    plan_deployed_model,
    split_without,
    start_deployment,
    undeploy,
)
from localcloud.services.vertex.flex_start import undeploy_expired
from localcloud.services.vertex.records import ENDPOINTS, PENDING_DEPLOYMENTS
from localcloud.services.vertex.resource_names import EndpointName, check_endpoint_id, read_endpoint, read_location
from localcloud.services.vertex.traffic import check_split
from localcloud.services.vertex.validation import Violations, check_etag, check_update_mask

service = Service("google.cloud.aiplatform.v1beta1.EndpointService")

_UPDATABLE = {"display_name", "description", "labels", "traffic_split", "predict_request_response_logging_config"}
_MUTABLE = {
    "dedicated_resources.min_replica_count",
    "dedicated_resources.max_replica_count",
    "dedicated_resources.required_replica_count",
    "dedicated_resources.autoscaling_metric_specs",
    "enable_container_logging",
    "disable_container_logging",
}
_LONGEST_INFERENCE_SECONDS = 3600  # Vertex AI docs, "Use dedicated public endpoints": at most one hour


class FlexStart(Part):
    """Undeploys models whose flex-start machines have expired, when the clock is moved."""

    def start(self) -> None:
        self._cloud.clock.on_advance(lambda: undeploy_expired(self._cloud))


@service.method("CreateEndpoint")
def create_endpoint(request: Any, cloud: Cloud) -> Message:
    location = read_location(request.parent, cloud)
    if request.endpoint_id:
        check_endpoint_id(request.endpoint_id)
    _check_endpoint(request.endpoint)
    _check_connection(request.endpoint)
    name = EndpointName(location, request.endpoint_id or cloud.ids.numeric())
    endpoint = request.endpoint
    for field in (
        "deployed_models",
        "traffic_split",
        "etag",
        "model_deployment_monitoring_job",
        "dedicated_endpoint_dns",
    ):
        endpoint.ClearField(field)
    endpoint.name = str(name)
    endpoint.create_time.CopyFrom(cloud.timestamp())
    endpoint.update_time.CopyFrom(endpoint.create_time)
    if endpoint.dedicated_endpoint_enabled:
        endpoint.dedicated_endpoint_dns = (
            f"{name.endpoint_id}.{location.region}-{location.project_number}.prediction.vertexai.goog"
        )
    cloud.store.insert(ENDPOINTS, str(name), endpoint)
    # The operation's answer has no times and no etag (recorded in 2026); GetEndpoint's has.
    answered = Endpoint.pb()()
    answered.CopyFrom(endpoint)
    for field in ("create_time", "update_time"):
        answered.ClearField(field)
    metadata = CreateEndpointOperationMetadata.pb()()
    return cloud.operations.finished(str(name), metadata=metadata, response=answered)


@service.method("GetEndpoint")
def get_endpoint(request: Any, cloud: Cloud) -> Message:
    name = str(read_endpoint(request.name, cloud))
    undeploy_expired(cloud, name)
    return _view(cloud.store.require(ENDPOINTS, name))


@service.method("ListEndpoints")
def list_endpoints(request: Any, cloud: Cloud) -> Message:
    location = read_location(request.parent, cloud)
    undeploy_expired(cloud)
    # Newest first, as the service lists them.
    endpoints = [_view(endpoint) for endpoint in reversed(cloud.store.list(ENDPOINTS, str(location)))]
    page, token = answer_page(endpoints, request, {"endpoint": _endpoint_id, "display_name": _display_name})
    return ListEndpointsResponse.pb()(endpoints=page, next_page_token=token)


@service.method("UpdateEndpoint")
def update_endpoint(request: Any, cloud: Cloud) -> Message:
    paths = set(request.update_mask.paths)
    check_update_mask(paths, _UPDATABLE)
    violations = Violations()
    if "display_name" in paths:
        violations.display_name("endpoint.display_name", request.endpoint.display_name)
    violations.labels("endpoint.labels", request.endpoint.labels if "labels" in paths else {})
    violations.raise_any()
    with cloud.store.update(ENDPOINTS, str(read_endpoint(request.endpoint.name, cloud))) as endpoint:
        check_etag(request.endpoint.etag, _etag(endpoint))
        if "traffic_split" in paths:
            check_split(request.endpoint.traffic_split, [deployed.id for deployed in endpoint.deployed_models])
        _replace(request.endpoint, endpoint, paths)
        endpoint.update_time.CopyFrom(cloud.timestamp())
        return _view(endpoint)


@service.method("UpdateEndpointLongRunning")
def update_endpoint_long_running(request: Any, cloud: Cloud) -> Message:
    """Changes only `client_connection_config`, as the real service does."""
    _check_endpoint(request.endpoint)
    name = str(read_endpoint(request.endpoint.name, cloud))
    with cloud.store.update(ENDPOINTS, name) as endpoint:
        _replace(request.endpoint, endpoint, {"client_connection_config"})
        endpoint.update_time.CopyFrom(cloud.timestamp())
    metadata = UpdateEndpointOperationMetadata.pb()()
    return cloud.operations.finished(name, metadata=metadata, response=_view(endpoint))


@service.method("DeleteEndpoint")
def delete_endpoint(request: Any, cloud: Cloud) -> Message:
    name = str(read_endpoint(request.name, cloud))
    with cloud.store.transaction():
        endpoint = cloud.store.require(ENDPOINTS, name)
        held = [deployed.id for deployed in (*endpoint.deployed_models, *cloud.store.list(PENDING_DEPLOYMENTS, name))]
        if held:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Endpoint {name} has deployed or being-deployed DeployedModel(s): {', '.join(held)}.",
            )
        cloud.store.delete(ENDPOINTS, name)
    # The endpoint no longer exists: the operation belongs to its location.
    parent = name.partition("/endpoints/")[0]
    return cloud.operations.finished(parent, metadata=DeleteOperationMetadata.pb()(), response=Empty())


@service.method("DeployModel")
def deploy_model(request: Any, cloud: Cloud) -> Message:
    name = read_endpoint(request.endpoint, cloud)
    undeploy_expired(cloud)
    cloud.store.require(ENDPOINTS, str(name))
    violations = Violations()
    violations.require("deployed_model.model", request.deployed_model.model)
    violations.raise_any()
    deployed = plan_deployed_model(request.deployed_model, name, cloud)
    return start_deployment(name, deployed, dict(request.traffic_split), cloud)


@service.method("UndeployModel")
def undeploy_model(request: Any, cloud: Cloud) -> Message:
    name = read_endpoint(request.endpoint, cloud)
    requested, deployed_model_id = dict(request.traffic_split), request.deployed_model_id
    split_without(deployed_model_id, requested, cloud.store.require(ENDPOINTS, str(name)))
    return cloud.operations.start(
        str(name),
        metadata=UndeployModelOperationMetadata.pb()(),
        run=lambda operation: undeploy(name, deployed_model_id, requested, cloud),
    )


@service.method("MutateDeployedModel")
def mutate_deployed_model(request: Any, cloud: Cloud) -> Message:
    name = read_endpoint(request.endpoint, cloud)
    check_update_mask(request.update_mask.paths, _MUTABLE)
    with cloud.store.update(ENDPOINTS, str(name)) as endpoint:
        deployed = next((one for one in endpoint.deployed_models if one.id == request.deployed_model.id), None)
        if deployed is None:
            raise ApiError("NOT_FOUND", f"The Endpoint {name} has no DeployedModel {request.deployed_model.id}.")
        request.update_mask.MergeMessage(request.deployed_model, deployed, True, True)
        check_deployed_model(deployed)
        check_quota(cloud, name, deployed)
        endpoint.update_time.CopyFrom(cloud.timestamp())
    return cloud.operations.finished(
        str(name),
        metadata=MutateDeployedModelOperationMetadata.pb()(),
        response=MutateDeployedModelResponse.pb()(deployed_model=deployed),
    )


def _check_connection(endpoint: Any) -> None:
    """google-cloud-aiplatform 1.165.1 sends the field only for dedicated endpoints (models.py, Endpoint.create)."""
    violations = Violations()
    if endpoint.HasField("client_connection_config") and not endpoint.dedicated_endpoint_enabled:
        violations.add("endpoint.client_connection_config", "Only a dedicated endpoint has one.")
    violations.raise_any()


def _check_endpoint(endpoint: Any) -> None:
    violations = Violations()
    violations.display_name("endpoint.display_name", endpoint.display_name)
    violations.labels("endpoint.labels", endpoint.labels)
    timeout = endpoint.client_connection_config.inference_timeout.ToSeconds()
    if not 0 <= timeout <= _LONGEST_INFERENCE_SECONDS:
        violations.add("endpoint.client_connection_config.inference_timeout", "Must be at most 3600 seconds.")
    violations.raise_any()
    if (
        endpoint.network
        or endpoint.enable_private_service_connect
        or endpoint.HasField("private_service_connect_config")
    ):
        raise ApiError("UNIMPLEMENTED", "The local cloud has no private networks: make a public or dedicated endpoint.")
    if endpoint.predict_request_response_logging_config.enabled:
        raise ApiError(
            "UNIMPLEMENTED",
            "The local cloud has no BigQuery: leave predict_request_response_logging_config out.",
        )


def _replace(source: Any, target: Any, fields: set[str]) -> None:
    for field in fields:
        target.ClearField(field)
    part = Endpoint.pb()()
    part.CopyFrom(source)
    for descriptor, _ in source.ListFields():
        if descriptor.name not in fields:
            part.ClearField(descriptor.name)
    target.MergeFrom(part)


def _view(endpoint: Any) -> Any:
    answered = Endpoint.pb()()
    answered.CopyFrom(endpoint)
    answered.etag = _etag(endpoint)
    return answered


def _etag(endpoint: Any) -> str:
    return hashlib.sha256(endpoint.SerializeToString(deterministic=True)).hexdigest()[:20]


def _endpoint_id(endpoint: Any) -> str:
    return str(endpoint.name).rpartition("/")[2]


def _display_name(endpoint: Any) -> str:
    return str(endpoint.display_name)
