"""One model server behind a dedicated and a shared endpoint, for all tests of this folder."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.prepared import with_serving_account
from tests.vertex_vllm.served_models import Vertex, serving_plan, teach
from vertex_vllm.inference.inference_client import EndpointClient


@pytest.fixture(scope="package")
def endpoints(cloud: Any) -> Iterator[dict[str, str]]:
    """Kind → name."""
    teach(cloud)
    in_vertex = Vertex(with_serving_account(f"test-{uuid.uuid4().hex[:12]}"))
    yield {kind: in_vertex.deploy(serving_plan(dedicated_endpoint=kind == "dedicated")) for kind in KINDS}
    in_vertex.clear()


KINDS = ("dedicated", "shared")


@pytest.fixture(params=KINDS)
def endpoint(endpoints: dict[str, str], request: pytest.FixtureRequest) -> str:
    return endpoints[request.param]


@pytest.fixture
def client(endpoint: str) -> EndpointClient:
    return EndpointClient(endpoint)
