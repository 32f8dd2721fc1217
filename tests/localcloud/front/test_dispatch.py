"""One handler serves both versions of an API, with the operations' types in the caller's version."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import Endpoint as EndpointV1
from google.cloud.aiplatform_v1.types import endpoint_service as v1
from google.cloud.aiplatform_v1beta1.types import Endpoint
from google.cloud.aiplatform_v1beta1.types import endpoint_service as v1beta1
from google.longrunning.operations_pb2 import GetOperationRequest, ListOperationsRequest, Operation
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.ports import Ports
from localcloud.core.registration import Service, handler_table
from localcloud.front.contract import Method, load_contract
from localcloud.front.dispatch import Dispatcher
from localcloud.services.hosts import API_PACKAGES
from localcloud.services.operations import polling

PARENT = "projects/1/locations/us-central1"
NAME = f"{PARENT}/endpoints/5"

service = Service("google.cloud.aiplatform.v1beta1.EndpointService")


@service.method("GetEndpoint")
def get_endpoint(request: Any, cloud: Cloud) -> Message:
    assert isinstance(request, v1beta1.GetEndpointRequest.pb())
    return Endpoint.pb()(name=request.name, display_name="found")


@service.method("CreateEndpoint")
def create_endpoint(request: Any, cloud: Cloud) -> Message:
    metadata = v1beta1.CreateEndpointOperationMetadata.pb()()
    return cloud.operations.finished(request.parent, metadata=metadata, response=request.endpoint)


@service.method("DeleteEndpoint")
def delete_endpoint(request: Any, cloud: Cloud) -> Message:
    raise KeyError("a bug")


@pytest.fixture(scope="module")
def contract() -> dict[str, Method]:
    return load_contract(API_PACKAGES["vertex"])


@pytest.fixture
def dispatcher(tmp_path: Path, contract: dict[str, Method]) -> Dispatcher:
    cloud = Cloud(tmp_path, project="p", region="us-central1", ports=Ports(1, 2, 3, 4, 5, 6, 7))
    return Dispatcher(contract, handler_table([service, polling.service]), cloud)


def _method(contract: dict[str, Method], version: str, name: str) -> Method:
    return contract[f"/google.cloud.aiplatform.{version}.EndpointService/{name}"]


def test_v1_is_converted_to_v1beta1_and_back(dispatcher: Dispatcher, contract: dict[str, Method]) -> None:
    answer = dispatcher.call(_method(contract, "v1", "GetEndpoint"), v1.GetEndpointRequest.pb()(name=NAME))
    assert answer == EndpointV1.pb()(name=NAME, display_name="found")


def test_types_in_operations_follow_the_version(dispatcher: Dispatcher, contract: dict[str, Method]) -> None:
    request = v1.CreateEndpointRequest.pb()(parent=PARENT, endpoint={"display_name": "one"})
    operation = dispatcher.call(_method(contract, "v1", "CreateEndpoint"), request)
    assert _types(operation) == _named("v1")
    poll = contract["/google.longrunning.Operations/GetOperation"]
    # gRPC names no version: the version of the call that created the operation counts. REST has one in the URL.
    assert _types(dispatcher.call(poll, GetOperationRequest(name=operation.name))) == _named("v1")
    assert _types(dispatcher.call(poll, GetOperationRequest(name=operation.name), "v1beta1")) == _named("v1beta1")
    endpoint = EndpointV1.pb()()
    assert operation.response.Unpack(endpoint)
    assert endpoint.display_name == "one"


def test_operations_are_listed_in_the_callers_version(dispatcher: Dispatcher, contract: dict[str, Method]) -> None:
    request = v1beta1.CreateEndpointRequest.pb()(parent=PARENT)
    dispatcher.call(_method(contract, "v1beta1", "CreateEndpoint"), request)
    lister = contract["/google.longrunning.Operations/ListOperations"]
    for version in ("v1", "v1beta1"):
        answer = dispatcher.call(lister, ListOperationsRequest(name=PARENT), version)
        assert [_types(operation) for operation in answer.operations] == [_named(version)]


def test_a_bug_is_told_as_internal(dispatcher: Dispatcher, contract: dict[str, Method]) -> None:
    with pytest.raises(ApiError) as failed:
        dispatcher.call(_method(contract, "v1", "DeleteEndpoint"), v1.DeleteEndpointRequest.pb()(name=NAME))
    assert failed.value.code == "INTERNAL"
    assert "KeyError('a bug')" in failed.value.message


def test_a_handler_of_no_method_keeps_the_daemon_from_starting(contract: dict[str, Method]) -> None:
    with pytest.raises(ValueError, match="EndpointService/NoSuchMethod"):
        Dispatcher(
            contract,
            {"/google.cloud.aiplatform.v1beta1.EndpointService/NoSuchMethod": get_endpoint},
            SimpleNamespace(),  # type: ignore[arg-type]
        )


def test_a_method_has_one_handler() -> None:
    with pytest.raises(ValueError, match="has a handler already"):
        service.method("GetEndpoint")(get_endpoint)


def _types(operation: Operation) -> tuple[str, str]:
    return operation.metadata.type_url, operation.response.type_url


def _named(version: str) -> tuple[str, str]:
    package = f"type.googleapis.com/google.cloud.aiplatform.{version}"
    return f"{package}.CreateEndpointOperationMetadata", f"{package}.Endpoint"
