"""Waiting for an operation, with Google's client and a server with prepared answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1beta1 import EndpointServiceClient
from google.cloud.aiplatform_v1beta1.services.endpoint_service.transports import EndpointServiceGrpcTransport
from google.longrunning.operations_pb2 import CancelOperationRequest, GetOperationRequest, Operation
from google.protobuf.empty_pb2 import Empty

from vertex_vllm.error_data import Refusal
from vertex_vllm.vertex_ai.operations import (
    Deadline,
    OperationUnfinishedError,
    cancel_operation,
    failure,
    wait_for_operation,
)

NAME = "projects/1/locations/us-central1/endpoints/2/operations/3"
RUNNING = Operation(name=NAME)
DONE = Operation(name=NAME, done=True)

Answer = Operation | grpc.StatusCode
Serve = Callable[..., EndpointServiceClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes a client whose server gives one answer per call, and repeats the last one."""
    servers = []

    def start(*answers: Answer) -> EndpointServiceClient:
        left = list(answers)

        def answer(request: object, context: grpc.ServicerContext) -> Operation | Empty:
            given = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(given, grpc.StatusCode):
                context.abort(given, f"the service is {given.name}")
            return given if isinstance(request, GetOperationRequest) else Empty()

        server = grpc.server(ThreadPoolExecutor(1))
        methods = {
            name: grpc.unary_unary_rpc_method_handler(answer, kind.FromString, lambda reply: reply.SerializeToString())
            for name, kind in (("GetOperation", GetOperationRequest), ("CancelOperation", CancelOperationRequest))
        }
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("google.longrunning.Operations", methods)]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        return EndpointServiceClient(transport=EndpointServiceGrpcTransport(channel=channel))

    yield start
    for server in servers:
        server.stop(None)


@pytest.mark.parametrize(
    "passing",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    ],
    ids=lambda status: status.name,
)
def test_a_poll_that_fails_in_passing_is_made_again(serve: Serve, passing: grpc.StatusCode) -> None:
    client = serve(RUNNING, passing, passing, DONE)
    assert wait_for_operation(client, NAME, Deadline(60), "Deploying") == DONE


def test_a_poll_that_is_refused_for_good_ends_the_wait(serve: Serve) -> None:
    client = serve(RUNNING, grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(exceptions.PermissionDenied, match="the service is PERMISSION_DENIED"):
        wait_for_operation(client, NAME, Deadline(60), "Deploying")


@pytest.mark.parametrize("answer", [RUNNING, grpc.StatusCode.UNAVAILABLE], ids=["running", "no answer"])
def test_the_wait_ends_at_the_deadline(serve: Serve, answer: Answer) -> None:
    with pytest.raises(OperationUnfinishedError):
        wait_for_operation(serve(answer), NAME, Deadline(0.5), "Deploying")


def test_the_wait_ends_when_told_to(serve: Serve) -> None:
    with pytest.raises(OperationUnfinishedError):
        wait_for_operation(serve(RUNNING), NAME, Deadline(60), "Deploying", lambda seconds: True)


def test_an_operation_that_is_done_is_answered_whatever_the_deadline(serve: Serve) -> None:
    assert wait_for_operation(serve(DONE), NAME, Deadline(0), "Deploying") == DONE


@pytest.mark.parametrize(
    "ended", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION], ids=lambda s: s.name
)
def test_what_has_ended_needs_no_cancelling(serve: Serve, ended: grpc.StatusCode) -> None:
    cancel_operation(serve(ended), NAME)


def test_a_failure_has_its_status_and_the_services_words() -> None:
    failed = Operation(name=NAME, done=True, error={"code": 9, "message": "Model server exited unexpectedly."})
    assert failure(failed) == Refusal("FAILED_PRECONDITION", "Model server exited unexpectedly.")
    assert str(failure(failed)) == "FAILED_PRECONDITION: Model server exited unexpectedly."
    assert failure(DONE) is None
