"""ModelService: upload, versions and aliases, get, list, update, delete."""

from typing import Any

from google.cloud.aiplatform_v1beta1.types import (
    DeleteOperationMetadata,
    ListModelsResponse,
    ListModelVersionsResponse,
    UploadModelOperationMetadata,
    UploadModelResponse,
)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.registration import Service
from localcloud.services.vertex import registry
from localcloud.services.vertex.answer_pages import answer_page
from localcloud.services.vertex.container_spec import check_container_spec
from localcloud.services.vertex.records import MODEL_VERSIONS, MODELS
from localcloud.services.vertex.resource_names import Location, ModelName, check_model_id, read_location, read_model
from localcloud.services.vertex.validation import Violations, check_update_mask

service = Service("google.cloud.aiplatform.v1beta1.ModelService")

_MODEL_FIELDS = {"display_name", "description", "labels"}
_VERSION_FIELDS = {"version_description", "labels"}
_OUTPUT_ONLY = (
    "version_id",
    "version_create_time",
    "version_update_time",
    "create_time",
    "update_time",
    "deployed_models",
    "etag",
    "training_pipeline",
    "supported_export_formats",
    "supported_deployment_resources_types",
    "supported_input_storage_formats",
    "supported_output_storage_formats",
    "model_source_info",
    "original_model_info",
    "metadata_artifact",
    "checkpoints",
)


@service.method("UploadModel")
def upload_model(request: Any, cloud: Cloud) -> Message:
    location = read_location(request.parent, cloud)
    _check_upload(request.model)
    for field in _OUTPUT_ONLY:
        request.model.ClearField(field)
    with cloud.store.transaction():
        name = _parent_model(request, location, cloud) if request.parent_model else _new_model(request, location, cloud)
        version_id = registry.add_version(cloud, name, request.model)
    return cloud.operations.finished(
        str(name),
        metadata=UploadModelOperationMetadata.pb()(),
        response=UploadModelResponse.pb()(model=str(name), model_version_id=version_id),
    )


@service.method("GetModel")
def get_model(request: Any, cloud: Cloud) -> Message:
    name = read_model(request.name, cloud)
    version = registry.find_version(cloud, name)
    answered = name.with_version(version.version_id) if name.version else str(name)
    return registry.view(cloud, name, version, answered)


@service.method("ListModels")
def list_models(request: Any, cloud: Cloud) -> Message:
    location = read_location(request.parent, cloud)
    models = []
    # Newest first, as the service lists them.
    for shared in reversed(cloud.store.list(MODELS, str(location))):
        name = read_model(shared.name, cloud)
        models.append(registry.view(cloud, name, registry.find_version(cloud, name), str(name)))
    page, token = answer_page(models, request, {"model": _model_id, "display_name": _display_name})
    return ListModelsResponse.pb()(models=page, next_page_token=token)


@service.method("ListModelVersions")
def list_model_versions(request: Any, cloud: Cloud) -> Message:
    name = read_model(request.name, cloud)
    cloud.store.require(MODELS, str(name))
    versions = [
        registry.view(cloud, name, version, name.with_version(version.version_id))
        for version in cloud.store.list(MODEL_VERSIONS, str(name))
    ]
    page, token = answer_page(versions, request, {})
    return ListModelVersionsResponse.pb()(models=page, next_page_token=token)


@service.method("UpdateModel")
def update_model(request: Any, cloud: Cloud) -> Message:
    """Updates the version if the name has `@version`; without it, or with `@-`, the model."""
    name = read_model(request.model.name, cloud)
    of_model = name.version in ("", "-")
    paths = set(request.update_mask.paths)
    check_update_mask(paths, _MODEL_FIELDS | _VERSION_FIELDS)
    if not paths <= (_MODEL_FIELDS if of_model else _VERSION_FIELDS):
        raise ApiError("FAILED_PRECONDITION", "One request updates either fields of the model or fields of a version.")
    violations = Violations()
    if "display_name" in paths:
        violations.display_name("model.display_name", request.model.display_name)
    violations.labels("model.labels", request.model.labels if "labels" in paths else {})
    violations.raise_any()
    with cloud.store.transaction():
        whole = ModelName(name.location, name.model_id, "" if of_model else name.version)
        version = registry.find_version(cloud, whole)
        answered = str(name) if of_model else name.with_version(version.version_id)
        registry.check_etag(request.model.etag, registry.view(cloud, name, version, answered).etag, of_model=of_model)
        if of_model:
            with cloud.store.update(MODELS, str(name)) as shared:
                _copy(request.model, shared, paths)
                shared.update_time.CopyFrom(cloud.timestamp())
        else:
            _copy(request.model, version, paths)
            registry.replace_version(cloud, name, version)
        return registry.view(cloud, name, version, answered)


@service.method("MergeVersionAliases")
def merge_version_aliases(request: Any, cloud: Cloud) -> Message:
    name = _explicit_version(request.name, cloud)
    violations = Violations()
    violations.require("version_aliases", request.version_aliases)
    violations.raise_any()
    add = [alias for alias in request.version_aliases if not alias.startswith("-")]
    remove = [alias[1:] for alias in request.version_aliases if alias.startswith("-")]
    with cloud.store.transaction():
        version_id = registry.find_version(cloud, name).version_id
        registry.change_aliases(cloud, name, version_id, add=add, remove=remove)
        numbered = ModelName(name.location, name.model_id, version_id)
        changed = registry.find_version(cloud, numbered)
        return registry.view(cloud, name, changed, name.with_version(version_id))


@service.method("DeleteModel")
def delete_model(request: Any, cloud: Cloud) -> Message:
    name = read_model(request.name, cloud)
    if name.version:
        raise ApiError("INVALID_ARGUMENT", f"{request.name} names a version: use DeleteModelVersion for it.")
    with cloud.store.transaction():
        cloud.store.require(MODELS, str(name))
        _refuse_deployed(cloud, name, "")
        registry.delete_model(cloud, name)
    return cloud.operations.finished(str(name), metadata=DeleteOperationMetadata.pb()(), response=Empty())


@service.method("DeleteModelVersion")
def delete_model_version(request: Any, cloud: Cloud) -> Message:
    name = _explicit_version(request.name, cloud)
    with cloud.store.transaction():
        version = registry.find_version(cloud, name)
        _refuse_deployed(cloud, name, version.version_id)
        if len(cloud.store.list(MODEL_VERSIONS, str(name))) == 1:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"{request.name} is the only version of the Model, and cannot be deleted: delete the Model instead.",
            )
        if registry.DEFAULT_ALIAS in version.version_aliases:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"{request.name} is the default version: give the alias `default` to another version first.",
            )
        registry.delete_version(cloud, name, version.version_id)
    return cloud.operations.finished(str(name), metadata=DeleteOperationMetadata.pb()(), response=Empty())


def _check_upload(model: Any) -> None:
    violations = Violations()
    violations.display_name("model.display_name", model.display_name)
    violations.labels("model.labels", model.labels)
    if model.HasField("container_spec"):
        check_container_spec(model.container_spec, violations)
    elif model.artifact_uri:
        violations.require("model.container_spec", None)
    if model.artifact_uri and not model.artifact_uri.startswith("gs://"):
        violations.add("model.artifact_uri", f"`{model.artifact_uri}` is not a Cloud Storage URI, gs://….")
    violations.raise_any()


def _new_model(request: Any, location: Location, cloud: Cloud) -> ModelName:
    if request.model_id:
        check_model_id(request.model_id)
    name = ModelName(location, request.model_id or cloud.ids.numeric())
    registry.create_model(cloud, name, request.model)
    return name


def _parent_model(request: Any, location: Location, cloud: Cloud) -> ModelName:
    parent = read_model(request.parent_model, cloud)
    if parent.location != location or request.model_id not in ("", parent.model_id):
        raise ApiError("INVALID_ARGUMENT", f"parent_model {request.parent_model} is not a Model of {request.parent}.")
    cloud.store.require(MODELS, str(parent))
    return ModelName(location, parent.model_id)


def _explicit_version(text: str, cloud: Cloud) -> ModelName:
    name = read_model(text, cloud)
    if not name.version:
        raise ApiError(
            "INVALID_ARGUMENT", f"{text} names no version: its form is projects/…/models/{{model}}@{{version}}."
        )
    return name


def _refuse_deployed(cloud: Cloud, name: ModelName, version_id: str) -> None:
    used = [*registry.uses(cloud, name, version_id), *registry.coming_uses(cloud, name, version_id)]
    if used:
        places = ", ".join(f"{endpoint} (DeployedModel {deployed.id})" for endpoint, deployed in used)
        raise ApiError(
            "FAILED_PRECONDITION",
            f"The Model {name} is deployed or being deployed, and cannot be deleted. Undeploy it first from: {places}.",
        )


def _copy(source: Any, target: Any, paths: set[str]) -> None:
    for path in paths - {"labels"}:
        setattr(target, path, getattr(source, path))
    if "labels" in paths:
        target.labels.clear()
        target.labels.update(source.labels)


def _model_id(model: Any) -> str:
    return str(model.name).rpartition("/")[2]


def _display_name(model: Any) -> str:
    return str(model.display_name)
