"""Versions of models and their aliases. Functions that change records must be called inside a transaction."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from google.cloud.aiplatform_v1beta1.types import DeployedModelRef, Model, ModelSourceInfo

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.services.vertex import validation
from localcloud.services.vertex.records import (
    MODEL_EVALUATIONS,
    MODEL_VERSIONS,
    MODELS,
    deployed_models,
    pending_deployments,
)
from localcloud.services.vertex.resource_names import ModelName

DEFAULT_ALIAS = "default"
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")  # `Model.version_aliases`
_SHARED_FIELDS = ("display_name", "description")

# The service's answer for a model with a container; without a container, only the first type.
_RESOURCE_TYPES = (Model.DeploymentResourcesType.DEDICATED_RESOURCES, Model.DeploymentResourcesType.SHARED_RESOURCES)
_INPUT_FORMATS = ("jsonl", "bigquery", "csv", "tf-record", "tf-record-gzip", "file-list")
_OUTPUT_FORMATS = ("jsonl", "bigquery")


def check_alias(alias: str) -> None:
    """Raises ApiError INVALID_ARGUMENT."""
    if not _ALIAS.fullmatch(alias):
        raise ApiError(
            "INVALID_ARGUMENT", f'Invalid version alias "{alias}". Its form is [a-z][a-zA-Z0-9-]{{0,126}}[a-z0-9].'
        )


def create_model(cloud: Cloud, name: ModelName, uploaded: Any) -> None:
    """Stores the fields that all versions share, from the first version. Raises ApiError ALREADY_EXISTS."""
    shared = Model.pb()(
        name=str(name), create_time=cloud.timestamp(), update_time=cloud.timestamp(), labels=uploaded.labels
    )
    for field in _SHARED_FIELDS:
        setattr(shared, field, getattr(uploaded, field))
    cloud.store.insert(MODELS, str(name), shared)


def add_version(cloud: Cloud, name: ModelName, uploaded: Any) -> str:
    """Stores `uploaded` as the next version and returns its id. The first version is the default."""
    first = not cloud.store.list(MODEL_VERSIONS, str(name))
    version_id = str(cloud.store.next_number(f"versions of {_incarnation(cloud, name)}"))
    version = Model.pb()()
    version.CopyFrom(uploaded)
    version.name, version.version_id = str(name), version_id
    if first:
        version.ClearField("labels")
    version.version_create_time.CopyFrom(cloud.timestamp())
    version.version_update_time.CopyFrom(version.version_create_time)
    _fill_in(version)
    wanted = {*uploaded.version_aliases, *((DEFAULT_ALIAS,) if first else ())}
    version.ClearField("version_aliases")
    cloud.store.put(MODEL_VERSIONS, _key(name, version_id), version)
    change_aliases(cloud, name, version_id, add=wanted, remove=())
    return version_id


def find_version(cloud: Cloud, name: ModelName) -> Any:
    """The stored version that `name` means: by id or alias, or the default version.

    Raises ApiError NOT_FOUND.
    """
    cloud.store.require(MODELS, str(name))
    wanted = name.version or DEFAULT_ALIAS
    for version in cloud.store.list(MODEL_VERSIONS, str(name)):
        if wanted == version.version_id or wanted in version.version_aliases:
            return version
    raise ApiError("NOT_FOUND", f"The Model {name.with_version(wanted)} does not exist.")


def view(cloud: Cloud, name: ModelName, version: Any, answered_name: str) -> Any:
    """A version as the service shows it: with the fields shared by all versions, and its deployments."""
    shared = cloud.store.require(MODELS, str(name))
    model = Model.pb()()
    model.CopyFrom(version)
    model.name = answered_name
    for field in _SHARED_FIELDS:
        setattr(model, field, getattr(shared, field))
    model.create_time.CopyFrom(shared.create_time)
    model.update_time.CopyFrom(
        max(shared.update_time, version.version_update_time, key=lambda stamp: stamp.ToNanoseconds())
    )
    for label, value in shared.labels.items():
        model.labels.setdefault(label, value)
    model.deployed_models.extend(
        DeployedModelRef.pb()(endpoint=endpoint, deployed_model_id=deployed.id)
        for endpoint, deployed in uses(cloud, name, version.version_id)
    )
    model.etag = f"{_digest(shared)}-{_digest(version)}"
    return model


def check_etag(given: str, current: str, *, of_model: bool) -> None:
    """Raises ApiError ABORTED if the updated model or version has changed since it was read.

    A resource that was read as a version can be written as the model, so the etag covers both states.
    """
    part = 0 if of_model else -1
    validation.check_etag(given.split("-")[part], current.split("-")[part])


def display_name(cloud: Cloud, model: str) -> str:
    """The display name of `model`, a resource name without a version. Raises ApiError NOT_FOUND."""
    return str(cloud.store.require(MODELS, model).display_name)


def uses(cloud: Cloud, name: ModelName, version_id: str) -> list[tuple[str, Any]]:
    """(endpoint name, deployed model) of each deployment of the version; `version_id` "": of any version."""
    return _of_model(deployed_models(cloud, _project(name)), name, version_id)


def coming_uses(cloud: Cloud, name: ModelName, version_id: str) -> list[tuple[str, Any]]:
    """Like `uses`, for models that are being deployed."""
    return _of_model(pending_deployments(cloud, _project(name)), name, version_id)


def change_aliases(
    cloud: Cloud, name: ModelName, version_id: str, *, add: Iterable[str], remove: Iterable[str]
) -> None:
    """Changes a version's aliases. An added alias leaves its former version. Raises ApiError INVALID_ARGUMENT."""
    adding, removing = set(add) - set(remove), set(remove) - set(add)
    for alias in adding | removing:
        check_alias(alias)
    for version in cloud.store.list(MODEL_VERSIONS, str(name)):
        before = set(version.version_aliases)
        if version.version_id == version_id:
            if DEFAULT_ALIAS in before & removing:
                raise ApiError(
                    "INVALID_ARGUMENT",
                    "A model has exactly one default version: give the alias to another version instead.",
                )
            after = (before | adding) - removing
        else:
            after = before - adding
        if after != before:
            version.version_aliases[:] = sorted(after)
            version.version_update_time.CopyFrom(cloud.timestamp())
            cloud.store.put(MODEL_VERSIONS, _key(name, version.version_id), version)


def replace_version(cloud: Cloud, name: ModelName, version: Any) -> None:
    version.version_update_time.CopyFrom(cloud.timestamp())
    cloud.store.put(MODEL_VERSIONS, _key(name, version.version_id), version)


def delete_version(cloud: Cloud, name: ModelName, version_id: str) -> None:
    """Deletes a version with its evaluations."""
    for place, _ in cloud.store.items(MODEL_EVALUATIONS, _key(name, version_id)):
        cloud.store.delete(MODEL_EVALUATIONS, place)
    cloud.store.delete(MODEL_VERSIONS, _key(name, version_id))


def delete_model(cloud: Cloud, name: ModelName) -> None:
    for version in cloud.store.list(MODEL_VERSIONS, str(name)):
        delete_version(cloud, name, version.version_id)
    cloud.store.delete(MODELS, str(name))


def _project(name: ModelName) -> str:
    # A model may be deployed outside its own location.
    return f"projects/{name.location.project_number}"


def _of_model(deployments: list[tuple[str, Any]], name: ModelName, version_id: str) -> list[tuple[str, Any]]:
    return [
        (endpoint, deployed)
        for endpoint, deployed in deployments
        if deployed.model == str(name) and version_id in ("", deployed.model_version_id)
    ]


def _digest(message: Any) -> str:
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]


def _key(name: ModelName, version_id: str) -> str:
    return f"{name}/versions/{version_id}"


def _incarnation(cloud: Cloud, name: ModelName) -> str:
    # A new model with the id of a deleted one starts at version 1.
    return f"{name} of {cloud.store.require(MODELS, str(name)).create_time.ToNanoseconds()}"


def _fill_in(version: Any) -> None:
    """Adds the fields that the service gives an uploaded model (without a container: recorded in 2026)."""
    kinds = _RESOURCE_TYPES if version.HasField("container_spec") else _RESOURCE_TYPES[:1]
    version.supported_deployment_resources_types.extend(kind.value for kind in kinds)
    version.supported_export_formats.add(
        id="custom-trained",
        exportable_contents=[Model.ExportFormat.ExportableContent.ARTIFACT.value] if version.artifact_uri else [],
    )
    version.supported_input_storage_formats.extend(_INPUT_FORMATS)
    version.supported_output_storage_formats.extend(_OUTPUT_FORMATS)
    from_garden = version.base_model_source.HasField("model_garden_source")
    source = ModelSourceInfo.ModelSourceType.MODEL_GARDEN if from_garden else ModelSourceInfo.ModelSourceType.CUSTOM
    version.model_source_info.source_type = source.value
