"""The echo container in the local cloud, and clients of every kind to deploy and call it."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import google.auth
import pytest
import requests
import yaml
from echo_deployments import ECHO_IMAGE, ECHO_ROW, REGION, Clients, create_endpoint, deployed_model, upload_echo
from google.auth.transport.requests import AuthorizedSession
from google.cloud import aiplatform_v1, aiplatform_v1beta1

from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(
    params=[
        pytest.param((aiplatform_v1beta1, "grpc"), id="v1beta1-grpc"),
        pytest.param((aiplatform_v1, "grpc"), id="v1-grpc", marks=pytest.mark.slow),
        pytest.param((aiplatform_v1, "rest"), id="v1-rest", marks=pytest.mark.slow),
        pytest.param((aiplatform_v1beta1, "rest"), id="v1beta1-rest", marks=pytest.mark.slow),
    ]
)
def clients(cloud: Any, request: pytest.FixtureRequest) -> Clients:
    """Clients of every version and transport. `make test` tries all of them in test_transports.py."""
    return Clients(*request.param)


@pytest.fixture(scope="module")
def gapic(cloud: Any) -> Clients:
    """Clients of one version and transport, for tests that depend on neither."""
    return Clients(aiplatform_v1beta1, "grpc")


class Rest:
    """Plain HTTPS to Vertex AI's shared domain, with the project's access token."""

    def __init__(self) -> None:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        self.session = AuthorizedSession(credentials)

    def __getattr__(self, verb: str) -> Callable[..., requests.Response]:
        def call(path: str, *, host: str = f"{REGION}-aiplatform.googleapis.com", **options: Any) -> requests.Response:
            return getattr(self.session, verb)(f"https://{host}{path}", **options)

        return call


@pytest.fixture(scope="module")
def rest(cloud: Any) -> Rest:
    return Rest()


@pytest.fixture
def parent(project: str) -> str:
    return f"projects/{project}/locations/{REGION}"


@pytest.fixture(scope="session")
def echo_image(cloud: Any) -> str:
    """An image that this local cloud runs as `echo_container.py`."""
    (cloud.state_dir / "images.yaml").write_text(yaml.safe_dump({"images": [ECHO_ROW]}))
    return ECHO_IMAGE


@pytest.fixture
def echo_model(gapic: Clients, echo_image: str, parent: str) -> str:
    return upload_echo(gapic, echo_image, parent)


@pytest.fixture(scope="module")
def module_parent(cloud: Any) -> str:
    return f"projects/vertex-{uuid.uuid4().hex[:12]}/locations/{REGION}"


@pytest.fixture(scope="module")
def shared_endpoint(gapic: Clients, echo_image: str, module_parent: str) -> Iterator[Any]:
    """An endpoint on the shared domain, with the echo container behind it."""
    yield from _served(gapic, echo_image, module_parent)


@pytest.fixture(scope="module")
def dedicated_endpoint(gapic: Clients, echo_image: str, module_parent: str) -> Iterator[Any]:
    """An endpoint with a domain of its own, with the echo container behind it."""
    yield from _served(gapic, echo_image, module_parent, dedicated_endpoint_enabled=True)


def _served(clients: Clients, image: str, parent: str, **fields: Any) -> Iterator[Any]:
    endpoint = create_endpoint(clients, parent, **fields)
    model = upload_echo(clients, image, parent)
    operation = clients.endpoints.deploy_model(
        endpoint=endpoint.name, deployed_model=deployed_model(model), traffic_split={"0": 100}
    )
    deployed = operation.result(timeout=PATIENCE_SECONDS).deployed_model
    yield clients.endpoints.get_endpoint(name=endpoint.name)
    clients.endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id=deployed.id).result(
        timeout=PATIENCE_SECONDS
    )
    clients.endpoints.delete_endpoint(name=endpoint.name).result()
