"""Requests made of JSON, as strictly as the real front ends make them."""

import json
from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import Endpoint, ListModelsRequest, Model
from google.cloud.aiplatform_v1beta1.types.endpoint_service import CreateEndpointRequest, UpdateEndpointRequest
from google.cloud.aiplatform_v1beta1.types.model_service import GetModelRequest, UploadModelRequest
from google.longrunning.operations_pb2 import Operation
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.api_errors import ApiError
from localcloud.front.contract import HttpRule, Method
from localcloud.front.transcoding import RuleTable, read_request, to_json

PARENT = "projects/p/locations/us-central1"


def _method(name: str, request: Any, *rules: HttpRule) -> Method:
    return Method(f"/test.Service/{name}", request.pb(), Operation, False, False, rules)


CREATE = _method(
    "Create", CreateEndpointRequest, HttpRule("POST", "/v1/{parent=projects/*/locations/*}/endpoints", "endpoint")
)
UPDATE = _method(
    "Update",
    UpdateEndpointRequest,
    HttpRule("PATCH", "/v1/{endpoint.name=projects/*/locations/*/endpoints/*}", "endpoint"),
)
UPLOAD = _method(
    "Upload", UploadModelRequest, HttpRule("POST", "/v1/{parent=projects/*/locations/*}/models:upload", "*")
)
GET = _method("Get", GetModelRequest, HttpRule("GET", "/v1/{name=projects/*/locations/*/models/*}"))
VERSIONS = _method(
    "Versions", GetModelRequest, HttpRule("GET", "/v1/{name=projects/*/locations/*/models/*}:listVersions")
)
LIST = _method("List", ListModelsRequest, HttpRule("GET", "/v1beta1/{parent=projects/*/locations/*}/models"))
TABLE = RuleTable([CREATE, UPDATE, UPLOAD, GET, VERSIONS, LIST])


def _read(verb: str, path: str, body: Any = None, query: tuple[tuple[str, str], ...] = ()) -> Any:
    match = TABLE.find(verb, path)
    assert match is not None
    return read_request(match, b"" if body is None else json.dumps(body).encode(), query)


@pytest.mark.parametrize(
    ("verb", "path", "method"),
    [
        ("POST", f"/v1/{PARENT}/endpoints", CREATE),
        ("GET", f"/v1/{PARENT}/models/1", GET),
        ("GET", f"/v1/{PARENT}/models/1:listVersions", VERSIONS),
        ("GET", f"/v1/{PARENT}/models/1@2", GET),
        ("GET", f"/v1beta1/{PARENT}/models", LIST),
        # A colon that begins no action belongs to the id.
        ("GET", f"/v1/{PARENT}/models/a:b", GET),
        ("GET", f"/v1/{PARENT}/endpoints", None),
        ("GET", f"/v1/{PARENT}/models/1/2", None),
        ("GET", "/v1/projects/p/models/1", None),
        ("POST", f"/v1/{PARENT}/models:download", None),
    ],
)
def test_request_lines_find_their_method(verb: str, path: str, method: Method | None) -> None:
    match = TABLE.find(verb, path)
    assert (match.method if match else None) is method


def test_path_body_and_query_make_one_request() -> None:
    body = {"display_name": "one", "labels": {"a": "b"}, "dedicatedEndpointEnabled": True}
    made = _read("POST", f"/v1/{PARENT}/endpoints", body, (("endpointId", "my-endpoint"), ("$alt", "json")))
    endpoint = Endpoint.pb()(display_name="one", labels={"a": "b"}, dedicated_endpoint_enabled=True)
    assert made == CreateEndpointRequest.pb()(parent=PARENT, endpoint=endpoint, endpoint_id="my-endpoint")


def test_a_nested_path_field_wins_over_the_body() -> None:
    name = f"{PARENT}/endpoints/5"
    made = _read(
        "PATCH", f"/v1/{name}", {"name": "another", "displayName": "x"}, (("updateMask", "displayName,labels"),)
    )
    assert made.endpoint.name == name
    assert list(made.update_mask.paths) == ["display_name", "labels"]


@pytest.mark.parametrize("mask", ["displayName,explanationSpec.metadata", "display_name,explanation_spec.metadata"])
def test_masks_come_in_either_case(mask: str) -> None:
    made = _read("PATCH", f"/v1/{PARENT}/endpoints/5", {}, (("updateMask", mask),))
    assert list(made.update_mask.paths) == ["display_name", "explanation_spec.metadata"]


def test_query_values_take_the_type_of_their_field() -> None:
    query = (("pageSize", "7"), ("filter", "labels.a=b"), ("read_mask", "displayName"))
    made = _read("GET", f"/v1beta1/{PARENT}/models", None, query)
    mask = {"paths": ["display_name"]}
    assert made == ListModelsRequest.pb()(parent=PARENT, page_size=7, filter="labels.a=b", read_mask=mask)


def test_an_absent_body_is_an_empty_message() -> None:
    assert _read("POST", f"/v1/{PARENT}/endpoints").HasField("endpoint")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"displayNam": "x"}, "displayNam"),
        ({"displayName": 7}, "display"),
        ({"model": {"containerSpec": {"ports": [{"containerPort": "eighty"}]}}}, "ontainerPort"),
        ({"model": {"supportedDeploymentResourcesTypes": ["NO_SUCH_TYPE"]}}, "NO_SUCH_TYPE"),
        ({"model": {"labels": ["a"]}}, "labels"),
        ({"model": {"createTime": "yesterday"}}, "createTime"),
        ({"model": "text"}, ""),
        ([], "JSON object"),
        ("text", "JSON object"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(body: Any, word: str) -> None:
    with pytest.raises(ApiError) as refused:
        _read("POST", f"/v1/{PARENT}/models:upload", body)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert refused.value.message.startswith("Invalid JSON payload received.")
    assert word in refused.value.message


@pytest.mark.parametrize(
    "query",
    [("pageSiz", "7"), ("pageSize", "seven"), ("filter.more", "x"), ("readMask.paths.deep", "x"), ("pageSize", "")],
)
def test_query_parameters_that_do_not_fit_are_refused(query: tuple[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        _read("GET", f"/v1beta1/{PARENT}/models", None, (query,))
    assert refused.value.code == "INVALID_ARGUMENT"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "labels", "model", "etag", "x"]), inner),
    max_leaves=10,
)


@given(_json)
def test_no_body_breaks_the_service(body: Any) -> None:
    try:
        _read("POST", f"/v1/{PARENT}/models:upload", body)
    except ApiError as error:
        outcome = error.code
    else:
        outcome = "INVALID_ARGUMENT"
    assert outcome == "INVALID_ARGUMENT"


@given(st.binary(max_size=200))
def test_no_bytes_break_the_service(body: bytes) -> None:
    match = TABLE.find("POST", f"/v1/{PARENT}/models:upload")
    assert match is not None
    with pytest.raises(ApiError, match="Invalid JSON payload received"):
        read_request(match, b"\xff" + body, ())


def test_a_body_nested_too_deeply_is_refused() -> None:
    match = TABLE.find("POST", f"/v1/{PARENT}/models:upload")
    assert match is not None
    with pytest.raises(ApiError, match="Invalid JSON payload received"):
        read_request(match, b'{"model":' * 100_000, ())


def test_answers_are_camel_case_without_what_is_unset() -> None:
    model = Model.pb()(display_name="ü", supported_deployment_resources_types=["DEDICATED_RESOURCES"])
    assert json.loads(to_json(model)) == {
        "displayName": "ü",
        "supportedDeploymentResourcesTypes": ["DEDICATED_RESOURCES"],
    }
    assert json.loads(to_json(model, integer_enums=True))["supportedDeploymentResourcesTypes"] == [1]
