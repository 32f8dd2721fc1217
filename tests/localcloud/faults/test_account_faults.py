"""Faults of a first run on a real project: accounts that are not known yet, operations that cannot be read."""

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1
from google.longrunning import operations_pb2

from localcloud.daemon import Connection
from tests.accounts import make_account, owner_session

REGION = "us-central1"


def test_an_account_that_was_just_made_is_not_found_by_its_first_readers(faulty: Connection, project: str) -> None:
    email = make_account(project, "fresh-robot")
    url = f"https://iam.googleapis.com/v1/projects/{project}/serviceAccounts/{email}"
    faulty.add_fault(
        service="iam",
        kind="error",
        method="GET",
        path="*/serviceAccounts/fresh-robot@*",
        status=404,
        message=f"Unknown service account {email}.",
        times=2,
    )
    session = owner_session()
    answers = [session.get(url) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 200]
    assert answers[0].json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize("transport", ["grpc", "rest"])
@pytest.mark.parametrize("method", ["CancelOperation", "ListOperations"])
def test_operations_may_be_unimplemented(faulty: Connection, project: str, method: str, transport: str) -> None:
    options = {"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}
    client = aiplatform_v1beta1.EndpointServiceClient(transport=transport, client_options=options)
    parent = f"projects/{project}/locations/{REGION}"
    made = client.create_endpoint(parent=parent, endpoint={"display_name": "x"}).operation
    faulty.add_fault(kind="error", rpc=method, code="UNIMPLEMENTED", times=None)
    calls = {
        "CancelOperation": lambda: client.cancel_operation(operations_pb2.CancelOperationRequest(name=made.name)),
        "ListOperations": lambda: client.list_operations(operations_pb2.ListOperationsRequest(name=parent)),
    }
    with pytest.raises(exceptions.MethodNotImplemented):
        calls[method]()
