import json
from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import PredictRequest, PredictResponse
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.predictions import (
    chat_body,
    container_body,
    container_error,
    fill_response,
    prediction_answer,
    read_json_object,
    request_document,
)
from localcloud.services.vertex.resource_names import EndpointName, Location
from localcloud.services.vertex.targets import Target

MODEL = "projects/123456789012/locations/us-central1/models/vllm"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def target(dedicated: bool) -> Target:
    return Target(
        endpoint=EndpointName(Location("123456789012", "us-central1"), "car"),
        dedicated=dedicated,
        timeout_seconds=60,
        deployed_model_id="7",
        model=MODEL,
        model_version_id="2",
        model_display_name="car model",
        address="http://127.0.0.1:1",
        predict_route="/generate",
        invoked=False,
    )


def test_a_container_is_sent_instances_and_parameters() -> None:
    document = {
        "instances": [{"prompt": "What is a car?", "max_tokens": 5}],
        "parameters": {"a": 1},
        "labels": {"x": "y"},
    }
    assert json.loads(container_body(document)) == {key: document[key] for key in ("instances", "parameters")}


@pytest.mark.parametrize(
    "document", [{}, {"instances": []}, {"instances": {}}, {"instances": [1], "instance": 2}, {"instances": None}]
)
def test_malformed_requests(document: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        container_body(document)
    assert refusal.value.code == "INVALID_ARGUMENT"


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_object_or_an_invalid_argument(body: bytes) -> None:
    try:
        document = read_json_object(body)
    except ApiError as refusal:
        document = {"refused": refusal.code}
    assert document.get("refused") == "INVALID_ARGUMENT" or document == json.loads(body)


@given(st.lists(JSON, min_size=1, max_size=3), JSON)
def test_grpc_says_the_same_as_rest(instances: list[Any], parameters: Any) -> None:
    document = {"instances": instances, "parameters": parameters}
    assert request_document(json_format.ParseDict(document, PredictRequest.pb()())) == document


def test_an_answer_says_who_gave_it() -> None:
    assert prediction_answer(b'{"predictions": ["a car"], "metadata": {"tokens": 2}}', target(dedicated=True)) == {
        "predictions": ["a car"],
        "deployedModelId": "7",
        "model": MODEL,
        "modelDisplayName": "car model",
        "modelVersionId": "2",
        "metadata": {"tokens": 2},
    }


@pytest.mark.parametrize(("dedicated", "expected"), [(True, {"choices": []}), (False, [{"choices": []}])])
def test_one_object_for_all_instances(dedicated: bool, expected: Any) -> None:
    answer = prediction_answer(b'{"predictions": {"choices": []}}', target(dedicated))
    assert answer["predictions"] == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"prediction": 1}', b"<html>", b"\xff"])
def test_a_container_that_does_not_keep_to_the_contract(body: bytes) -> None:
    with pytest.raises(ApiError) as refusal:
        prediction_answer(body, target(dedicated=True))
    assert refusal.value.code == "INTERNAL"


def test_an_answer_as_a_message() -> None:
    answer = prediction_answer(b'{"predictions": ["a car", 1], "metadata": {"tokens": 2}}', target(dedicated=False))
    assert json_format.MessageToDict(fill_response(PredictResponse.pb()(), answer)) == answer


def test_chat_completions_are_marked() -> None:
    assert json.loads(chat_body(b'{"messages": [], "stream": true}')) == {
        "messages": [],
        "stream": True,
        "@requestFormat": "chatCompletions",
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "INVALID_ARGUMENT"), (422, "FAILED_PRECONDITION"), (500, "INTERNAL"), (503, "UNAVAILABLE")],
)
def test_refusals_of_a_container_for_grpc(status: int, code: str) -> None:
    error = container_error(status, b"max_tokens is too large")
    assert (error.code, error.message) == (code, "max_tokens is too large")
