"""The interceptor of the gRPC server by which faults strike."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

import grpc
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from localcloud.core.operation_run import decided
from localcloud.faults import refusals
from localcloud.faults.calls import Call
from localcloud.faults.consequences import crash, fate_of
from localcloud.faults.kinds import (
    Crash,
    Error,
    Latency,
    LostAnswer,
    OperationError,
    OperationFault,
    OperationNeverEnds,
    Reset,
)
from localcloud.faults.posted import Faults, Strike
from localcloud.services.hosts import route_of

# Metadata key of a `google.rpc.Status` (gRPC docs, "Richer error model").
_DETAILS = "grpc-status-details-bin"

Behaviour = Callable[[Any, grpc.ServicerContext], Any]

# Request streams, response streams → what makes a handler, and where a handler keeps its behaviour.
_FORMS = {
    (False, False): (grpc.unary_unary_rpc_method_handler, "unary_unary"),
    (False, True): (grpc.unary_stream_rpc_method_handler, "unary_stream"),
    (True, False): (grpc.stream_unary_rpc_method_handler, "stream_unary"),
    (True, True): (grpc.stream_stream_rpc_method_handler, "stream_stream"),
}


class FaultInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc carries no types
    """Passes calls to the posted faults while any may still strike."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        handler = continuation(handler_call_details)
        if not self._faults.waiting:
            return handler
        make, kept_as = _FORMS[handler.request_streaming, handler.response_streaming]
        behaviour = self._faulty(handler_call_details.method, getattr(handler, kept_as))
        return make(behaviour, handler.request_deserializer, handler.response_serializer)

    def _faulty(self, method: str, behaviour: Behaviour) -> Behaviour:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            strike = self._faults.take(_call(method, context))
            if strike is None:
                return behaviour(request, context)
            with strike.under_way():
                time.sleep(strike.fault.latency_seconds)
                return _struck(strike, behaviour, request, context)

        return call


def _call(method: str, context: grpc.ServicerContext) -> Call:
    # grpc does not show a handler the request's host; a test guards this private name.
    host = context._rpc_event.call_details.host.decode().partition(":")[0].lower()
    route = route_of(host)
    return Call(
        service=route.app if route else "",
        protocol="grpc",
        host=host,
        rpc=method.rpartition(".")[2],
        headers=[(key, value) for key, value in context.invocation_metadata() if isinstance(value, str)],
    )


def _struck(strike: Strike, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
    match strike.fault:
        case Error() as fault:
            _refuse(fault, context)
        case Reset():
            _break(context)
        case LostAnswer():
            _execute(behaviour, request, context)
            _break(context)
        case Crash(when=when):
            if when == "after":
                _execute(behaviour, request, context)
            crash()
        case OperationError() | OperationNeverEnds() as fault:
            return _started(fault, strike, behaviour, request, context)
        case Latency():
            return behaviour(request, context)
    raise AssertionError(f"{strike.fault.kind} does not meet gRPC")


def _started(
    fault: OperationFault, strike: Strike, behaviour: Behaviour, request: Any, context: grpc.ServicerContext
) -> Any:
    fate = fate_of(fault)
    try:
        with decided(fate):
            return behaviour(request, context)
    finally:
        if not fate.met:
            strike.give_back()


def _refuse(fault: Error, context: grpc.ServicerContext) -> NoReturn:
    error, info = refusals.api_error(fault), refusals.retry_info(fault)
    status = Status(code=code_pb2.Code.Value(error.code), message=error.message)
    if info is not None:
        status.details.add().Pack(info)
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(error.grpc_code, error.message)
    raise AssertionError("abort raises")


def _break(context: grpc.ServicerContext) -> NoReturn:
    """Raises the client's error for a broken connection (gRPC core), for one call, as others share the connection."""
    context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    raise AssertionError("abort raises")


def _execute(behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> None:
    """Executes the call to its end, streams included."""
    # A refusal aborts the call and raises; the client does not see it either.
    with suppress(Exception):
        answer = behaviour(request, context)
        if isinstance(answer, Iterator):
            deque(answer, maxlen=0)
