"""Faults as generated clients see them, over gRPC and over REST."""

import uuid

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1, secretmanager_v1
from google.protobuf.json_format import MessageToDict

from localcloud.daemon import Connection

REGION = "us-central1"
Client = aiplatform_v1beta1.EndpointServiceClient


@pytest.fixture(params=["grpc", "rest"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(faulty: Connection, transport: str) -> Client:
    return Client(transport=transport, client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})


@pytest.fixture
def parent(project: str) -> str:
    return f"projects/{project}/locations/{REGION}"


def names(client: Client, parent: str) -> list[str]:
    return [endpoint.display_name for endpoint in client.list_endpoints(parent=parent, retry=None)]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UNAVAILABLE", exceptions.ServiceUnavailable),
        ("RESOURCE_EXHAUSTED", exceptions.TooManyRequests),
        ("PERMISSION_DENIED", exceptions.PermissionDenied),
        ("INTERNAL", exceptions.InternalServerError),
        ("DEADLINE_EXCEEDED", exceptions.GatewayTimeout),
    ],
)
def test_a_code_strikes_a_method_however_it_is_called(
    faulty: Connection, client: Client, parent: str, code: str, error: type[Exception]
) -> None:
    if error is exceptions.PermissionDenied and client.transport.kind == "rest":
        error = exceptions.Forbidden
    faulty.add_fault(service="vertex", rpc="ListEndpoints", kind="error", code=code, message="because of a fault")
    client.list_operations({"name": parent})
    with pytest.raises(error, match="because of a fault"):
        names(client, parent)
    assert names(client, parent) == []


def test_the_answer_says_when_to_come_back(faulty: Connection, client: Client, parent: str) -> None:
    faulty.add_fault(rpc="ListEndpoints", kind="error", code="UNAVAILABLE", retry_after_seconds=7)
    with pytest.raises(exceptions.ServiceUnavailable, match="The service is currently unavailable") as refused:
        names(client, parent)
    (info,) = refused.value.details
    told = info if isinstance(info, dict) else MessageToDict(info)
    assert told["retryDelay"] == "7s"


def test_googles_client_retries_over_it(faulty: Connection, project: str, transport: str) -> None:
    faulty.add_fault(service="secret-manager", rpc="AccessSecretVersion", kind="error", code="UNAVAILABLE")
    client = secretmanager_v1.SecretManagerServiceClient(transport=transport)
    with pytest.raises(exceptions.NotFound):
        client.access_secret_version(name=f"projects/{project}/secrets/none/versions/latest")
    assert faulty.faults()[0]["struck"] == 1


@pytest.mark.parametrize(("kind", "created"), [("reset", []), ("lost_answer", ["car"])])
def test_a_call_whose_connection_breaks_is_executed_or_not(
    faulty: Connection, client: Client, parent: str, kind: str, created: list[str]
) -> None:
    faulty.add_fault(service="vertex", rpc="CreateEndpoint", kind=kind)
    broken = exceptions.ServiceUnavailable if client.transport.kind == "grpc" else Exception
    with pytest.raises(broken):
        client.create_endpoint(parent=parent, endpoint={"display_name": "car"}, retry=None)
    assert names(client, parent) == created


def test_a_refusal_is_lost_as_well(faulty: Connection, client: Client, parent: str) -> None:
    faulty.add_fault(service="vertex", rpc="GetEndpoint", kind="lost_answer")
    with pytest.raises(Exception, match=r"Socket closed|Connection|without response") as broken:
        client.get_endpoint(name=f"{parent}/endpoints/1", retry=None)
    assert not isinstance(broken.value, exceptions.NotFound)


def test_latency_outlasts_a_deadline(faulty: Connection, client: Client, parent: str) -> None:
    faulty.add_fault(service="vertex", rpc="ListEndpoints", kind="latency", latency_seconds=1.5)
    with pytest.raises(Exception, match=r"Deadline|timed out"):
        client.list_endpoints(parent=parent, timeout=0.3, retry=None)
    assert names(client, parent) == []


@pytest.mark.parametrize("host", [f"{REGION}-aiplatform.googleapis.com", "*-aiplatform.googleapis.com"])
def test_a_region_can_fail_alone(faulty: Connection, client: Client, parent: str, host: str) -> None:
    faulty.add_fault(host=host, kind="error", code="UNAVAILABLE")
    elsewhere = Client(transport=client.transport.kind, client_options={"api_endpoint": "aiplatform.googleapis.com"})
    assert names(elsewhere, parent) == []
    with pytest.raises(exceptions.ServiceUnavailable):
        names(client, parent)


def test_metadata_and_headers_are_matched_alike(faulty: Connection, client: Client, project: str, parent: str) -> None:
    routed = {"x-goog-request-params": f"parent=projects/{project}/*"}
    faulty.add_fault(service="vertex", headers=routed, kind="error", code="UNAVAILABLE")
    assert names(client, f"projects/another-{uuid.uuid4().hex[:8]}/locations/{REGION}") == []
    with pytest.raises(exceptions.ServiceUnavailable):
        names(client, parent)


def test_a_status_of_http_strikes_rest_alone(faulty: Connection, parent: str) -> None:
    options = {"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}
    faulty.add_fault(service="vertex", kind="error", status=502)
    assert names(Client(transport="grpc", client_options=options), parent) == []
    with pytest.raises(exceptions.BadGateway, match="That’s an error"):
        names(Client(transport="rest", client_options=options), parent)


def test_the_metadata_server_can_fail(faulty: Connection, parent: str) -> None:
    faulty.add_fault(service="metadata", path="*/token", kind="error", status=503)
    client = Client(transport="rest", client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    assert names(client, parent) == []
    assert faulty.faults()[0]["struck"] == 1
