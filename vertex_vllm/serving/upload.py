"""Uploads a model version, once per config hash and prefix of the weights."""

import logging

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex
from google.longrunning import operations_pb2

from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import Owner, belongs, extended, model_resource_id
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.retries import TRANSIENT
from vertex_vllm.serving.pinned_image import moved_tag, require_digest
from vertex_vllm.serving.requests import upload_request
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, model_client, service_errors
from vertex_vllm.vertex_ai.deletion import remove_versions
from vertex_vllm.vertex_ai.interruption import Interruption, interruption
from vertex_vllm.vertex_ai.operations import (
    Deadline,
    OperationUnfinishedError,
    cancel_operation,
    failure,
    wait_for_operation,
)
from vertex_vllm.vertex_ai.resource_names import ResourceName

_ROUNDS = 4
"""How often to look for the version: once after each lost answer or lost race."""
_LOOK_AGAIN_SECONDS = 2.0
_CANCEL_SECONDS = 30.0
"""Seconds for a cancelled upload to end and for the deletion of its version."""
DEADLINE_SECONDS = 1800
"""An upload registers the container and copies no weights: it takes about a minute."""

log = logging.getLogger(__name__)


def upload_model(
    project: str, plan: ServingPlan, model_uri: str, owner: Owner, deadline_seconds: int = DEADLINE_SECONDS
) -> str:
    """Name of the Model version that serves `plan` from `model_uri`: `projects/…/models/ID@VERSION`.

    A version with the same plan (as its alias says), image and args is found rather than uploaded again. Raises
    DeploymentError when the upload fails, is stopped by a signal or takes longer than `deadline_seconds`, or when a
    Model of the deployment's name is somebody else's; InputError for a plan whose image is named by a tag.
    """
    require_digest(plan)
    name = ResourceName(project, plan.region, "models", model_resource_id(plan.deployment))
    deadline = Deadline(deadline_seconds)
    with service_errors(f"Uploading model {name.id}"), interruption() as asked:
        client = model_client(plan.region)
        for rounds_left in reversed(range(_ROUNDS)):
            versions = _versions(client, name, owner)
            parent_model = str(name) if versions else ""
            request = upload_request(project, plan, model_uri, owner, parent_model=parent_model)
            for version in versions:
                if _serves_the_same(version, request.model):
                    log.info("Version %s of %s serves this already", version.version_id, name)
                    _adopt(client, name.with_version(version.version_id), version, request.model)
                    return str(name.with_version(version.version_id))
            if said := moved_tag(plan, versions):
                log.warning(said)
            if asked.wait(0):
                raise DeploymentError(
                    f"Stopped by {asked.signal_name} before anything was uploaded", stopped_by=asked.signal_name
                )
            if uploaded := _upload(client, request, deadline, asked, patient=rounds_left > 0):
                return str(name.with_version(uploaded))
            asked.wait(_LOOK_AGAIN_SECONDS)
    raise DeploymentError(f"Vertex AI did not take the upload after {_ROUNDS} tries", where=str(name))


def _versions(client: vertex.ModelServiceClient, name: ResourceName, owner: Owner) -> list[vertex.Model]:
    """All versions of the deployment's Model, newest first; none if the Model does not exist."""
    try:
        versions = list(client.list_model_versions(name=str(name), retry=RETRY, timeout=CALL_SECONDS))
    except exceptions.NotFound:
        return []
    if not all(belongs(version.labels, owner.deployment) for version in versions):
        raise DeploymentError(
            "A Model of this name exists and does not carry this deployment's labels, so it is not touched",
            where=str(name),
            fix="Give the deployment another name, or delete that Model.",
        )
    return sorted(versions, key=lambda version: int(version.version_id), reverse=True)


def _serves_the_same(version: vertex.Model, wanted: vertex.Model) -> bool:
    there, asked = version.container_spec, wanted.container_spec
    return (
        set(wanted.version_aliases) <= set(version.version_aliases)
        and there.image_uri == asked.image_uri
        and list(there.args) == list(asked.args)
    )


def _adopt(client: vertex.ModelServiceClient, name: ResourceName, version: vertex.Model, wanted: vertex.Model) -> None:
    """Labels a version that no endpoint serves as this run's; extends the expiry of a version in use."""
    labels = extended(version.labels, wanted.labels) if version.deployed_models else dict(wanted.labels)
    if dict(version.labels) != labels:
        relabelled = vertex.Model(name=str(name), labels=labels)
        client.update_model(model=relabelled, update_mask="labels", retry=RETRY, timeout=CALL_SECONDS)


def _upload(
    client: vertex.ModelServiceClient,
    request: vertex.UploadModelRequest,
    deadline: Deadline,
    asked: Interruption,
    *,
    patient: bool,
) -> str:
    """The new version's id; empty where only another look can show it (answer lost, another run faster), if
    `patient`."""
    try:
        started = client.upload_model(request, timeout=CALL_SECONDS)
    except (exceptions.AlreadyExists, *TRANSIENT) as error:
        if not patient:
            raise
        log.warning("Looking whether the upload went through: %s", error)
        return ""
    operation_name = started.operation.name
    try:
        operation = wait_for_operation(client, operation_name, deadline, "Uploading the model", asked.wait)
    except OperationUnfinishedError:
        why = f"Stopped by {asked.signal_name}" if asked.signal_name else f"Not done within {deadline.seconds:.0f} s"
        left = withdraw(client, operation_name)
        raise DeploymentError(f"{why}: {left}", operation=operation_name, stopped_by=asked.signal_name) from None
    if asked.signal_name:  # It came just as the operation ended: no later step will use the version.
        said = f"Stopped by {asked.signal_name}: {withdraw(client, operation_name)}"
        raise DeploymentError(said, operation=operation_name, stopped_by=asked.signal_name)
    refusal = failure(operation)
    if refusal and refusal.code == "ALREADY_EXISTS":
        return ""
    if refusal:
        raise DeploymentError(f"Vertex AI could not upload the model: {refusal}", refusal=refusal)
    return _uploaded(operation).version


def withdraw(client: vertex.ModelServiceClient, operation_name: str) -> str:
    """Ends an upload, deletes a version that it created all the same, and describes the result."""
    cancel_operation(client, operation_name)
    deadline = Deadline(_CANCEL_SECONDS)
    try:
        operation = wait_for_operation(client, operation_name, deadline, "Cancelling the upload")
    except OperationUnfinishedError:
        return f"{operation_name} was cancelled and has not ended {_CANCEL_SECONDS:.0f} s later; a sweep looks again"
    if failure(operation):
        return "the upload was cancelled"
    uploaded = _uploaded(operation)
    try:
        remove_versions(client, uploaded.unversioned, {uploaded.version}, deadline)
    except DeploymentError as error:
        return f"the version that was uploaded still exists ({error}); teardown removes it"
    return "the version that was uploaded is removed"


def _uploaded(operation: operations_pb2.Operation) -> ResourceName:
    """The version that a finished upload made."""
    uploaded = vertex.UploadModelResponse.deserialize(operation.response.value)
    return ResourceName.parse(uploaded.model, "models").with_version(uploaded.model_version_id)
