"""Every method of every contract over gRPC, without TLS: the proxy ends TLS before it comes here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import calling_as
from localcloud.front.contract import Method
from localcloud.front.dispatch import Dispatcher

# Threads. A waiting call (a prediction, WaitOperation) occupies one.
_THREADS = 32
# Metadata key of a `google.rpc.Status` (gRPC docs, "Richer error model").
_DETAILS = "grpc-status-details-bin"


def start_grpc_server(
    contract: Mapping[str, Method],
    dispatcher: Dispatcher,
    check_token: Callable[[str], str],
    port: int,
    interceptors: Sequence[grpc.ServerInterceptor] = (),
) -> grpc.Server:
    """Serves on 127.0.0.1:`port`.

    `check_token` gets the `authorization` of each call, and returns the caller or raises ApiError.
    """
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
        handlers=[_ContractHandler(contract, dispatcher, check_token)],
        interceptors=interceptors,
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # Otherwise two daemons could share one port and answer in turns.
            ("grpc.so_reuseport", 0),
        ],
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


class _ContractHandler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc carries no types
    def __init__(
        self, contract: Mapping[str, Method], dispatcher: Dispatcher, check_token: Callable[[str], str]
    ) -> None:
        self._contract = contract
        self._dispatcher = dispatcher
        self._check_token = check_token

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = self._contract.get(handler_call_details.method)
        if method is None:
            return grpc.unary_unary_rpc_method_handler(_refuse_unknown(handler_call_details.method))
        behaviour = self._stream_behaviour(method) if method.streams_response else self._unary_behaviour(method)
        factory = _HANDLER_FACTORIES[method.streams_request, method.streams_response]
        return factory(behaviour, method.request_type.FromString, _serialize)

    def _unary_behaviour(self, method: Method) -> Callable[[Any, grpc.ServicerContext], Message]:
        def call(request: Any, context: grpc.ServicerContext) -> Message:
            try:
                with calling_as(self._check_token(_authorization(context))):
                    response: Message = self._dispatcher.call(method, request)
            except ApiError as error:
                _abort(context, error)
            return response

        return call

    def _stream_behaviour(self, method: Method) -> Callable[[Any, grpc.ServicerContext], Iterator[Message]]:
        def call(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
            try:
                # Permissions are checked before the first answer, because a generator does not keep the caller.
                with calling_as(self._check_token(_authorization(context))):
                    responses = self._dispatcher.call(method, request)
                yield from responses
            except ApiError as error:
                _abort(context, error)

        return call


_HANDLER_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _refuse_unknown(path: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"The local cloud knows no method {path}.")
        return b""

    return refuse


def _abort(context: grpc.ServicerContext, error: ApiError) -> NoReturn:
    if error.details:
        context.set_trailing_metadata(((_DETAILS, error.status().SerializeToString()),))
    context.abort(error.grpc_code, error.message)
    raise AssertionError("abort raises")


def _authorization(context: grpc.ServicerContext) -> str:
    return next((str(value) for key, value in context.invocation_metadata() if key == "authorization"), "")


def _serialize(message: Message) -> bytes:
    data: bytes = message.SerializeToString()
    return data
