"""Evaluations of model versions, a part of ModelService: import, get, list.

Assumptions without a recording: an evaluation's name contains the model without its version; an import for a model
without a version belongs to the default version; figures are checked only for the two schemas below.
"""

import math
from typing import Any

from google.cloud.aiplatform_v1beta1.types import ListModelEvaluationsResponse, ModelEvaluation
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.services.vertex import registry
from localcloud.services.vertex.records import MODEL_EVALUATIONS
from localcloud.services.vertex.resource_names import ModelName, read_model

service = Service("google.cloud.aiplatform.v1beta1.ModelService")

_SCHEMAS = "gs://google-cloud-aiplatform/schema/modelevaluation/"
# google-cloud-pipeline-components 2.22, `import_model_evaluation.py`: PROBLEM_TYPE_TO_SCHEMA_URI; and the figures that
# its components write for the two schemas of generated text.
_FIGURES: dict[str, set[str]] = {
    "classification_metrics_1.0.0.yaml": set(),
    "regression_metrics_1.0.0.yaml": set(),
    "forecasting_metrics_1.0.0.yaml": set(),
    "general_text_generation_metrics_1.0.0.yaml": {"bleu", "rougeLSum"},
    "question_answering_metrics_1.0.0.yaml": {"exactMatch"},
    "summarization_metrics_1.0.0.yaml": set(),
    "embedding_metrics_1.0.0.yaml": set(),
}
_MOST_DISPLAY_NAME = 128


@service.method("ImportModelEvaluation")
def import_model_evaluation(request: Any, cloud: Cloud) -> Message:
    name = read_model(request.parent, cloud)
    given = request.model_evaluation
    _check(given)
    with cloud.store.transaction():
        version = registry.find_version(cloud, name)
        identity = cloud.ids.numeric()
        stored = ModelEvaluation.pb()()
        stored.CopyFrom(given)
        stored.name = f"{name}/evaluations/{identity}"
        stored.create_time.CopyFrom(cloud.timestamp())
        cloud.store.insert(MODEL_EVALUATIONS, f"{_below(name, version.version_id)}/{identity}", stored)
    return stored


@service.method("GetModelEvaluation")
def get_model_evaluation(request: Any, cloud: Cloud) -> Message:
    model, _, identity = request.name.rpartition("/evaluations/")
    name = read_model(model, cloud)
    for stored in cloud.store.list(MODEL_EVALUATIONS, str(name)):
        if stored.name == f"{name}/evaluations/{identity}":
            return stored
    raise ApiError("NOT_FOUND", f"The ModelEvaluation {request.name} does not exist.")


@service.method("ListModelEvaluations")
def list_model_evaluations(request: Any, cloud: Cloud) -> Message:
    """Lists evaluations of a version, or of the default version. Raises ApiError for a filter or a read mask."""
    if request.filter or request.read_mask.paths:
        raise ApiError("INVALID_ARGUMENT", "The local cloud does not implement filter and read_mask here.")
    name = read_model(request.parent, cloud)
    version = registry.find_version(cloud, name)
    shown, token = page(cloud.store.list(MODEL_EVALUATIONS, _below(name, version.version_id)), request)
    return ListModelEvaluationsResponse.pb()(model_evaluations=shown, next_page_token=token)


def _below(name: ModelName, version_id: str) -> str:
    return f"{name}/versions/{version_id}/evaluations"


def _check(given: Any) -> None:
    """Raises ApiError INVALID_ARGUMENT."""
    if len(given.display_name) > _MOST_DISPLAY_NAME:
        raise ApiError("INVALID_ARGUMENT", f"display_name has more than {_MOST_DISPLAY_NAME} characters.")
    schema = given.metrics_schema_uri.removeprefix(_SCHEMAS)
    if not given.metrics_schema_uri.startswith(_SCHEMAS) or schema not in _FIGURES:
        raise ApiError("INVALID_ARGUMENT", f"Invalid metrics_schema_uri: {given.metrics_schema_uri!r}.")
    if given.metrics.WhichOneof("kind") != "struct_value" or not given.metrics.struct_value.fields:
        raise ApiError("INVALID_ARGUMENT", "metrics must be an object with at least one figure.")
    known = _FIGURES[schema]
    for figure, value in given.metrics.struct_value.fields.items():
        if known and figure not in known:
            raise ApiError("INVALID_ARGUMENT", f"metrics: {figure!r} is not a figure of {schema}.")
        if known and not (value.WhichOneof("kind") == "number_value" and math.isfinite(value.number_value)):
            raise ApiError("INVALID_ARGUMENT", f"metrics: {figure!r} must be a number.")
