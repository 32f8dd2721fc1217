"""A model server behind a dedicated and a shared endpoint, for all tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.vertex_vllm.served_models import own_project, serving_plan
from vertex_vllm.inference.inference_client import EndpointClient


@pytest.fixture(scope="package")
def endpoints(cloud: Any) -> Iterator[dict[str, str]]:
    """Kind → name."""
    with own_project(cloud) as in_vertex:
        yield {kind: in_vertex.deploy(serving_plan(dedicated_endpoint=kind == "dedicated")) for kind in KINDS}


KINDS = ("dedicated", "shared")


@pytest.fixture(params=KINDS)
def endpoint(endpoints: dict[str, str], request: pytest.FixtureRequest) -> str:
    return endpoints[request.param]


@pytest.fixture
def client(endpoint: str) -> EndpointClient:
    return EndpointClient(endpoint)
