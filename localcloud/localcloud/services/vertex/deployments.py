"""Deployment of models: checks of requests, and the operations that deploy and undeploy."""

import re
from functools import partial
from typing import Any, NoReturn

from google.cloud.aiplatform_v1beta1.types import (
    DeployedModel,
    DeploymentStage,
    DeployModelOperationMetadata,
    DeployModelResponse,
    UndeployModelResponse,
)
from google.protobuf.message import Message

from localcloud.containers.programs import find_image
from localcloud.containers.replica import Replica
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.operation_run import OperationRun
from localcloud.services.docker_registry.tag_digests import tagged
from localcloud.services.iam.acting import check_act_as
from localcloud.services.vertex import registry
from localcloud.services.vertex.accelerator_quota import accelerator_need, check_quota
from localcloud.services.vertex.container_account import check_agent, check_pull
from localcloud.services.vertex.container_spec import deployment_seconds
from localcloud.services.vertex.machines import DEFAULT_MACHINE_TYPE
from localcloud.services.vertex.records import ENDPOINTS, PENDING_DEPLOYMENTS
from localcloud.services.vertex.replicas import Replicas, never_ready, server_exited
from localcloud.services.vertex.resource_names import EndpointName, ModelName, read_model
from localcloud.services.vertex.traffic import split_after_deploy, split_after_undeploy
from localcloud.services.vertex.validation import Violations

_DEPLOYED_MODEL_ID = re.compile(r"[0-9]{1,10}")  # `DeployedModel.id`
_LONGEST_FLEX_START_SECONDS = 7 * 24 * 3600  # "Use Flex-start VMs with inference" (Vertex AI), 2026-11-30
_SERVICE_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.gserviceaccount\.com")


def plan_deployed_model(requested: Any, endpoint: EndpointName, cloud: Cloud) -> Any:
    """The checked DeployedModel with an id and all defaults, as the endpoint will show it. Starts nothing.

    Raises ApiError with Vertex AI's message, if it is known.
    """
    name = read_model(requested.model, cloud)
    version = registry.find_version(cloud, name)
    _check_deployable(name, version, cloud.store.require(ENDPOINTS, str(endpoint)))
    find_image(tagged(cloud, version.container_spec.image_uri), cloud.image_files)
    if requested.id and not _DEPLOYED_MODEL_ID.fullmatch(requested.id):
        raise ApiError("INVALID_ARGUMENT", f'Invalid DeployedModel id "{requested.id}": 1-10 characters of [0-9].')
    deployed = DeployedModel.pb()()
    deployed.CopyFrom(requested)
    deployed.ClearField("status")
    deployed.id = requested.id or cloud.ids.numeric()
    deployed.model, deployed.model_version_id = str(name), version.version_id
    deployed.display_name = requested.display_name or registry.display_name(cloud, str(name))
    deployed.create_time.CopyFrom(cloud.timestamp())
    check_deployed_model(deployed)
    if deployed.service_account:
        check_act_as(cloud, deployed.service_account)
        check_agent(cloud, endpoint.location.project_number, deployed.service_account)
    check_pull(cloud, endpoint.location.project_number, version.container_spec.image_uri)
    resources = deployed.dedicated_resources
    resources.machine_spec.machine_type = resources.machine_spec.machine_type or DEFAULT_MACHINE_TYPE
    resources.max_replica_count = resources.max_replica_count or max(resources.min_replica_count, 1)
    accelerator_need(deployed, endpoint.location.region)
    return deployed


def check_deployed_model(deployed: Any) -> None:
    """Raises ApiError INVALID_ARGUMENT for resources that no machine decides about, and for malformed fields;
    UNIMPLEMENTED for fields that the local cloud does not carry out."""
    kind = deployed.WhichOneof("prediction_resources")
    if kind != "dedicated_resources":
        raise ApiError(
            "INVALID_ARGUMENT", f"'{kind or 'automatic_resources'}' is not supported for Model {deployed.model}."
        )
    violations = Violations()
    resources = deployed.dedicated_resources
    _check_carried_out(deployed)
    field = "deployed_model.dedicated_resources"
    if resources.min_replica_count < 1:
        violations.add(f"{field}.min_replica_count", "Must be at least 1.")
    if resources.max_replica_count and resources.max_replica_count < resources.min_replica_count:
        violations.add(f"{field}.max_replica_count", "Must not be less than min_replica_count.")
    if not 0 <= resources.required_replica_count <= max(resources.min_replica_count, 1):
        violations.add(f"{field}.required_replica_count", "Must be between 0 and min_replica_count.")
    if resources.HasField("flex_start"):
        if not 0 < resources.flex_start.max_runtime_duration.ToSeconds() <= _LONGEST_FLEX_START_SECONDS:
            violations.add(
                f"{field}.flex_start.max_runtime_duration", "Must be more than 0 and at most 604800 seconds."
            )
        if resources.spot:
            violations.add(f"{field}.flex_start", "Cannot be set together with spot.")
    if deployed.service_account and not _SERVICE_ACCOUNT.fullmatch(deployed.service_account):
        violations.add(
            "deployed_model.service_account", f"`{deployed.service_account}` is not a service account's address."
        )
    violations.raise_any()


def _check_carried_out(deployed: Any) -> None:
    """Raises ApiError UNIMPLEMENTED that names the field of v1beta1 that would be stored and ignored."""
    resources, machine = deployed.dedicated_resources, deployed.dedicated_resources.machine_spec
    asked = {
        "rollout_options": deployed.HasField("rollout_options"),
        "dedicated_resources.scale_to_zero_spec": resources.HasField("scale_to_zero_spec"),
        "dedicated_resources.machine_spec.gpu_partition_size": bool(machine.gpu_partition_size),
        "dedicated_resources.machine_spec.reservation_affinity": bool(machine.reservation_affinity.key),
    }
    if fields := [name for name, is_set in asked.items() if is_set]:
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not carry out deployed_model.{fields[0]}: leave it out.")


def start_deployment(endpoint: EndpointName, deployed: Any, traffic_split: dict[str, int], cloud: Cloud) -> Message:
    """Takes the quota and starts the operation, which fails at once if the quota is exceeded.

    Raises ApiError ALREADY_EXISTS, INVALID_ARGUMENT.
    """
    pending = _pending_name(endpoint, deployed.id)
    started = _stage(DeploymentStage.STARTING_DEPLOYMENT)
    with cloud.store.transaction():
        _split_with(deployed.id, traffic_split, cloud.store.require(ENDPOINTS, str(endpoint)))
        try:
            check_quota(cloud, endpoint, deployed)
        except ApiError as error:
            return cloud.operations.start(str(endpoint), metadata=started, run=partial(_refuse, error))
        cloud.store.insert(PENDING_DEPLOYMENTS, pending, deployed)

    return cloud.operations.start(
        str(endpoint),
        metadata=started,
        run=lambda operation: _deploy(endpoint, deployed, traffic_split, operation, cloud),
        on_end=lambda: cloud.store.delete(PENDING_DEPLOYMENTS, pending),
    )


def undeploy(endpoint: EndpointName, deployed_model_id: str, traffic_split: dict[str, int], cloud: Cloud) -> Message:
    """Removes the deployed model from its endpoint, so that it gets no more requests, then stops the container."""
    with cloud.store.update(ENDPOINTS, str(endpoint)) as record:
        split = split_without(deployed_model_id, traffic_split, record)
        remaining = [deployed for deployed in record.deployed_models if deployed.id != deployed_model_id]
        del record.deployed_models[:]
        record.deployed_models.extend(remaining)
        _set_split(record, split)
        record.update_time.CopyFrom(cloud.timestamp())
    cloud.part(Replicas).remove(endpoint, deployed_model_id)
    return UndeployModelResponse.pb()()


def split_without(deployed_model_id: str, traffic_split: dict[str, int], record: Any) -> dict[str, int]:
    """The traffic split of the raw Endpoint `record` without the deployed model. Raises ApiError if that is refused."""
    ids = [deployed.id for deployed in record.deployed_models]
    if deployed_model_id not in ids:
        raise ApiError("NOT_FOUND", f"The Endpoint {record.name} has no DeployedModel {deployed_model_id}.")
    return split_after_undeploy(dict(record.traffic_split), traffic_split, deployed_model_id, ids)


def _refuse(error: ApiError, operation: OperationRun) -> NoReturn:
    raise error


def _deploy(
    endpoint: EndpointName, deployed: Any, traffic_split: dict[str, int], operation: OperationRun, cloud: Cloud
) -> Message:
    version = registry.find_version(cloud, read_model(f"{deployed.model}@{deployed.model_version_id}", cloud))
    seconds = deployment_seconds(version.container_spec)
    replica = cloud.part(Replicas).create(endpoint, deployed)
    operation.on_cancel(replica.stop)
    try:
        operation.update(_stage(DeploymentStage.STARTING_MODEL_SERVER))
        _start(replica, endpoint, seconds)
        operation.raise_if_cancelled()
        operation.update(_stage(DeploymentStage.FINISHING_UP))
        _enter(endpoint, deployed, traffic_split, cloud)
    except BaseException:
        cloud.part(Replicas).remove(endpoint, deployed.id)
        operation.update(_stage(DeploymentStage.FAILED_TO_DEPLOY))
        raise
    replica.keep_running(seconds)
    operation.update(_stage(DeploymentStage.SUCCESSFULLY_DEPLOYED))
    return DeployModelResponse.pb()(deployed_model=deployed)


def _start(replica: Replica, endpoint: EndpointName, seconds: float) -> None:
    replica.start()
    if replica.wait_healthy(seconds):
        return
    if replica.stopped:
        raise ApiError("ABORTED", "The deployment was stopped.")
    if replica.running:
        raise never_ready(endpoint, replica.launch.log)
    raise server_exited(endpoint, replica.launch.log)


def _enter(endpoint: EndpointName, deployed: Any, traffic_split: dict[str, int], cloud: Cloud) -> None:
    deployed.status.available_replica_count = 1
    deployed.status.last_update_time.CopyFrom(cloud.timestamp())
    with cloud.store.update(ENDPOINTS, str(endpoint)) as record:
        split = _split_with(deployed.id, traffic_split, record)
        record.deployed_models.append(deployed)
        _set_split(record, split)
        record.update_time.CopyFrom(cloud.timestamp())


def _split_with(new_id: str, traffic_split: dict[str, int], record: Any) -> dict[str, int]:
    ids = [deployed.id for deployed in record.deployed_models]
    if new_id in ids:
        raise ApiError("ALREADY_EXISTS", f"The Endpoint {record.name} has a DeployedModel {new_id} already.")
    return split_after_deploy(dict(record.traffic_split), traffic_split, new_id, ids)


def _set_split(record: Any, split: dict[str, int]) -> None:
    record.traffic_split.clear()
    record.traffic_split.update(split)


def _check_deployable(name: ModelName, version: Any, endpoint: Any) -> None:
    if not version.HasField("container_spec"):
        raise ApiError("FAILED_PRECONDITION", f"Model {name} has no container_spec, and cannot be deployed.")
    if version.container_spec.invoke_route_prefix and not endpoint.dedicated_endpoint_enabled:
        raise ApiError(
            "FAILED_PRECONDITION",
            f"Model {name} has an invoke_route_prefix: it can only be deployed to a dedicated endpoint.",
        )


def _pending_name(endpoint: EndpointName, deployed_model_id: str) -> str:
    return f"{endpoint}/deployedModels/{deployed_model_id}"


def _stage(stage: DeploymentStage) -> Message:
    return DeployModelOperationMetadata.pb()(deployment_stage=stage.value)
