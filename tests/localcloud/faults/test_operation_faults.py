"""Long-running operations that fail late, or never end."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1

from localcloud.daemon import Connection
from tests.localcloud.services.vertex.echo_deployments import (
    ECHO_IMAGE,
    ECHO_ROW,
    REGION,
    Clients,
    containers_of,
    create_endpoint,
    deployed_model,
    upload_echo,
)
from tests.waiting import PATIENCE_SECONDS, wait_until

STOCKOUT = "Machine type temporarily unavailable, please deploy with a different machine type or retry"
Deploy = Callable[[], Any]


@pytest.fixture(params=["grpc", "rest"])
def clients(faulty: Connection, request: pytest.FixtureRequest) -> Clients:
    (faulty.state_dir / "images.yaml").write_text(yaml.safe_dump({"images": [ECHO_ROW]}))
    return Clients(aiplatform_v1beta1, request.param)


@pytest.fixture
def parent(project: str) -> str:
    return f"projects/{project}/locations/{REGION}"


@pytest.fixture
def endpoint(clients: Clients, parent: str) -> str:
    return str(create_endpoint(clients, parent).name)


@pytest.fixture
def deploy(clients: Clients, parent: str, endpoint: str) -> Deploy:
    """Calls DeployModel, and returns the operation."""
    model = upload_echo(clients, ECHO_IMAGE, parent)
    return lambda: clients.endpoints.deploy_model(
        endpoint=endpoint, deployed_model=deployed_model(model), traffic_split={"0": 100}
    )


def test_a_stockout_fails_the_deployment_late_and_leaves_nothing(
    faulty: Connection, clients: Clients, endpoint: str, deploy: Deploy
) -> None:
    faulty.add_fault(service="vertex", rpc="DeployModel", kind="operation_error", known="stockout", after_seconds=0.5)
    operation = deploy()
    assert not operation.operation.done
    with pytest.raises(exceptions.ServiceUnavailable, match=STOCKOUT):
        operation.result(timeout=PATIENCE_SECONDS)
    assert containers_of(endpoint) == []
    assert list(clients.endpoints.get_endpoint(name=endpoint).deployed_models) == []
    clients.endpoints.delete_endpoint(name=endpoint).result()


def test_an_exceeded_quota_refuses_the_call_itself(faulty: Connection, deploy: Deploy) -> None:
    faulty.add_fault(rpc="EndpointService/DeployModel", kind="error", known="quota_exceeded")
    with pytest.raises(exceptions.TooManyRequests, match="CustomModelServingL4GPUsPerProjectPerRegion"):
        deploy()


def test_an_operation_that_never_ends_can_be_cancelled(
    faulty: Connection, clients: Clients, endpoint: str, deploy: Deploy
) -> None:
    faulty.add_fault(service="vertex", rpc="DeployModel", kind="operation_never_ends")
    name = deploy().operation.name
    with pytest.raises(exceptions.BadRequest, match="being-deployed"):
        clients.endpoints.delete_endpoint(name=endpoint)
    grpc = Clients(aiplatform_v1beta1, "grpc").endpoints
    assert not grpc.get_operation({"name": name}).done
    grpc.cancel_operation({"name": name})
    wait_until(lambda: grpc.get_operation({"name": name}).done)
    assert grpc.get_operation({"name": name}).error.message == "The operation was cancelled."
    clients.endpoints.delete_endpoint(name=endpoint).result()


def test_an_undeployment_that_fails_leaves_the_model_deployed(
    faulty: Connection, clients: Clients, endpoint: str, deploy: Deploy
) -> None:
    deployed = deploy().result(timeout=PATIENCE_SECONDS).deployed_model.id
    faulty.add_fault(rpc="UndeployModel", kind="operation_error", code="INTERNAL", message="a fault of ours")
    undeploy = {"endpoint": endpoint, "deployed_model_id": deployed}
    with pytest.raises(exceptions.InternalServerError, match="a fault of ours"):
        clients.endpoints.undeploy_model(**undeploy).result(timeout=PATIENCE_SECONDS)
    assert [one.id for one in clients.endpoints.get_endpoint(name=endpoint).deployed_models] == [deployed]
    clients.endpoints.undeploy_model(**undeploy).result(timeout=PATIENCE_SECONDS)
    assert containers_of(endpoint) == []


def test_what_is_done_within_the_call_stays_done(faulty: Connection, clients: Clients, parent: str) -> None:
    faulty.add_fault(rpc="CreateEndpoint", kind="operation_error", code="INTERNAL")
    with pytest.raises(exceptions.InternalServerError, match="Internal error encountered"):
        create_endpoint(clients, parent)
    assert [endpoint.display_name for endpoint in clients.endpoints.list_endpoints(parent=parent)] == ["car"]


def test_a_call_that_starts_no_operation_is_not_struck(
    faulty: Connection, clients: Clients, endpoint: str, parent: str
) -> None:
    faulty.add_fault(rpc="DeployModel", kind="operation_error", known="stockout")
    missing = deployed_model(f"{parent}/models/none")
    with pytest.raises(exceptions.NotFound):
        clients.endpoints.deploy_model(endpoint=endpoint, deployed_model=missing)
    assert [(fault["met"], fault["struck"]) for fault in faulty.faults()] == [(1, 0)]
