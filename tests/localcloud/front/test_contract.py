"""The contract comes from private parts of the client packages: these tests fail if an upgrade moves them."""

from collections.abc import Iterator, Mapping

import pytest
from google.cloud.aiplatform_v1beta1.types import CreateEndpointRequest, DeployModelRequest
from google.longrunning.operations_pb2 import Operation
from google.protobuf.descriptor import Descriptor

from localcloud.core.registration import HandlerTable, handler_table
from localcloud.front.contract import HttpRule, Method, load_contract
from localcloud.services.hosts import API_PACKAGES
from localcloud.services.registry import SERVICES


@pytest.fixture(scope="module")
def contract() -> Mapping[str, Method]:
    return load_contract([package for packages in API_PACKAGES.values() for package in packages])


def test_a_method_is_known_with_its_messages_and_rules(contract: Mapping[str, Method]) -> None:
    assert contract["/google.cloud.aiplatform.v1beta1.EndpointService/CreateEndpoint"] == Method(
        path="/google.cloud.aiplatform.v1beta1.EndpointService/CreateEndpoint",
        request_type=CreateEndpointRequest.pb(),
        response_type=Operation,
        streams_request=False,
        streams_response=False,
        rules=(HttpRule("POST", "/v1beta1/{parent=projects/*/locations/*}/endpoints", "endpoint"),),
    )
    deploy = contract["/google.cloud.aiplatform.v1beta1.EndpointService/DeployModel"]
    assert deploy.request_type is DeployModelRequest.pb()


def test_streams_are_known(contract: Mapping[str, Method]) -> None:
    service = "/google.cloud.aiplatform.v1.PredictionService"
    streams = {name: contract[f"{service}/{name}"] for name in ("Predict", "StreamRawPredict", "StreamDirectPredict")}
    assert {name: (method.streams_request, method.streams_response) for name, method in streams.items()} == {
        "Predict": (False, False),
        "StreamRawPredict": (False, True),
        "StreamDirectPredict": (True, True),
    }


def test_operations_are_polled_under_every_version_and_resource(contract: Mapping[str, Method]) -> None:
    rules = {rule.uri for rule in contract["/google.longrunning.Operations/GetOperation"].rules}
    assert rules >= {
        "/v1/{name=projects/*/locations/*/operations/*}",
        "/v1/{name=projects/*/locations/*/endpoints/*/operations/*}",
        "/v1beta1/{name=projects/*/locations/*/models/*/operations/*}",
    }


def test_only_methods_that_stream_both_ways_have_no_rules(contract: Mapping[str, Method]) -> None:
    # Cloud Logging's package has no REST transport: of its methods only what the contract itself adds has rules.
    others = [method for method in contract.values() if not method.service.startswith("google.logging.v2.")]
    assert all(method.rules or method.streams_request for method in others)


@pytest.fixture(scope="module")
def handlers() -> HandlerTable:
    return handler_table(service for registered in SERVICES for service in registered.handlers)


def test_every_handler_answers_a_method_that_exists(contract: Mapping[str, Method], handlers: HandlerTable) -> None:
    assert set(handlers) <= set(contract)


@pytest.mark.parametrize(("called", "handled"), [(".v1.", ".v1beta1."), (".v1beta.", ".v1.")])
def test_messages_of_another_version_are_the_same_on_the_wire(
    contract: Mapping[str, Method], handlers: HandlerTable, called: str, handled: str
) -> None:
    """Vertex AI's v1 is converted to v1beta1, and v1beta of Cloud Quotas to v1, and back through their bytes."""
    differences: list[str] = []
    for path in handlers:
        older = contract.get(path.replace(handled, called))
        newer = contract[path]
        if older is not None and older.path != newer.path:
            differences += _differences(older.request_type.DESCRIPTOR, newer.request_type.DESCRIPTOR, set())
            differences += _differences(older.response_type.DESCRIPTOR, newer.response_type.DESCRIPTOR, set())
    assert differences == []


def _differences(older: Descriptor, newer: Descriptor, seen: set[str]) -> Iterator[str]:
    if older.full_name in seen or older.full_name == newer.full_name:
        return
    seen.add(older.full_name)
    for field in older.fields:
        same = newer.fields_by_name.get(field.name)
        taken = newer.fields_by_number.get(field.number)
        if same is None:
            if taken is not None:
                yield f"{older.full_name}.{field.name} is {taken.name} in {newer.full_name}"
        elif (same.number, same.type, same.is_repeated) != (field.number, field.type, field.is_repeated):
            yield f"{older.full_name}.{field.name} differs from {newer.full_name}.{same.name}"
        elif field.message_type is not None:
            yield from _differences(field.message_type, same.message_type, seen)
