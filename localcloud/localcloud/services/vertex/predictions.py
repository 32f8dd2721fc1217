"""Translates prediction requests for a container, and its answers back, as plain values."""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.targets import Target

_PREDICT_FIELDS = {"instances", "parameters", "labels"}

# HTTP status of a container → google.rpc.Code, for callers that speak gRPC.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def read_json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError INVALID_ARGUMENT."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from error
    if not isinstance(document, dict):
        raise ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. Expected an object.")
    return document


def container_body(document: dict[str, Any]) -> bytes:
    """The container's body of a `predict` request. Raises ApiError INVALID_ARGUMENT."""
    for name in document:
        if name not in _PREDICT_FIELDS:
            message = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            raise ApiError("INVALID_ARGUMENT", message)
    if not isinstance(document.get("instances"), list) or not document["instances"]:
        raise ApiError(
            "INVALID_ARGUMENT", "List of found errors:\t1.Field: instances; Message: Required field is not set.\t"
        )
    return json.dumps({name: document[name] for name in ("instances", "parameters") if name in document}).encode()


def request_document(request: Any) -> dict[str, Any]:
    """A raw `PredictRequest` as JSON."""
    document: dict[str, Any] = {"instances": [json_format.MessageToDict(instance) for instance in request.instances]}
    if request.HasField("parameters"):
        document["parameters"] = json_format.MessageToDict(request.parameters)
    return document


def chat_body(body: bytes) -> bytes:
    """The body of `chat/completions` for the container's predict route. Raises ApiError INVALID_ARGUMENT."""
    return json.dumps({**read_json_object(body), "@requestFormat": "chatCompletions"}).encode()


def prediction_answer(answer: bytes, target: Target) -> dict[str, Any]:
    """The JSON answer of `predict`. Raises ApiError INTERNAL if the container's answer breaks its contract.

    A container may answer a single object for all instances (chat completions do). Shared domains turn it into a list,
    because their answers are protobuf messages, which allow only lists.
    """
    try:
        document = json.loads(answer)
        predictions = document["predictions"]
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError(
            "INTERNAL", f'The model server did not answer with a JSON object that has "predictions": {answer[:500]!r}'
        ) from error
    if not target.dedicated and not isinstance(predictions, list):
        predictions = [predictions]
    metadata = {"metadata": document["metadata"]} if "metadata" in document else {}
    return {
        "predictions": predictions,
        "deployedModelId": target.deployed_model_id,
        "model": target.model,
        "modelDisplayName": target.model_display_name,
        "modelVersionId": target.model_version_id,
        **metadata,
    }


def fill_response(response: Any, answer: dict[str, Any]) -> Message:
    """Fills a raw `PredictResponse` with `answer`, and returns it."""
    response.predictions.extend(json_format.ParseDict(prediction, Value()) for prediction in answer["predictions"])
    if "metadata" in answer:
        json_format.ParseDict(answer["metadata"], response.metadata)
    response.deployed_model_id = answer["deployedModelId"]
    response.model = answer["model"]
    response.model_display_name = answer["modelDisplayName"]
    response.model_version_id = answer["modelVersionId"]
    filled: Message = response
    return filled


def container_error(status: int, body: bytes) -> ApiError:
    """A refusal by the container, for callers that speak gRPC."""
    code = _CODES.get(status, "FAILED_PRECONDITION" if status < 500 else "INTERNAL")
    return ApiError(code, body.decode(errors="replace"))


def refuse_predict_of_invoked(target: Target) -> None:
    """Raises ApiError FAILED_PRECONDITION for a model that was uploaded with an invoke route."""
    if target.invoked:
        raise ApiError("FAILED_PRECONDITION", "Given request uri is not supported. Please use /invoke for this Model.")
