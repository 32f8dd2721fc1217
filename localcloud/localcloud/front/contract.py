"""Contracts of Google's APIs: every method's name, messages and HTTP rules, from the installed client packages.

The packages carry no service descriptors. Their gRPC transports, made on a channel that only records, give the names,
and their annotations the message types; the base classes of their REST transports give the HTTP rules. The stubs and
the rules are private names of the packages, guarded by a test.
"""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import grpc
from google.longrunning.operations_pb2 import CancelOperationRequest, GetOperationRequest, Operation
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

# The packages annotate this one as returning nothing; googleapis `google/longrunning/operations.proto` says otherwise.
_WAIT_OPERATION = "/google.longrunning.Operations/WaitOperation"


@dataclass(frozen=True)
class HttpRule:
    """One binding of `google.api.http`."""

    verb: str
    uri: str
    body: str = ""
    """"" = no body, "*" = the whole request, else the name of the field that the body fills."""


@dataclass(frozen=True)
class Method:
    """One method of one version of a service."""

    path: str
    """As gRPC writes it: `/package.Service/Method`."""
    request_type: type[Message]
    response_type: type[Message]
    streams_request: bool
    streams_response: bool
    rules: tuple[HttpRule, ...]

    @property
    def service(self) -> str:
        return self.path.split("/")[1]

    @property
    def name(self) -> str:
        return self.path.split("/")[2]

    @property
    def rpc(self) -> str:
        """Service and method without the package, hence without the version: `EndpointService/DeployModel`."""
        return f"{self.service.rpartition('.')[2]}/{self.name}"


# Cloud Logging's package has no REST transport; googleapis `google/logging/v2/logging.proto` has the rule.
_WITHOUT_REST: Mapping[str, tuple[HttpRule, ...]] = {
    "/google.logging.v2.LoggingServiceV2/ListLogEntries": (HttpRule("POST", "/v2/entries:list", "*"),),
}
# A package that makes operations and does not mix in how they are polled (Cloud Build's) has these rules in its
# service's configuration, googleapis `google/devtools/cloudbuild/v1/cloudbuild_v1.yaml`.
_OPERATIONS = (
    Method(
        path="/google.longrunning.Operations/GetOperation",
        request_type=GetOperationRequest,
        response_type=Operation,
        streams_request=False,
        streams_response=False,
        rules=(HttpRule("GET", "/v1/{name=projects/*/locations/*/operations/*}"),),
    ),
    Method(
        path="/google.longrunning.Operations/CancelOperation",
        request_type=CancelOperationRequest,
        response_type=Empty,
        streams_request=False,
        streams_response=False,
        rules=(HttpRule("POST", "/v1/{name=projects/*/locations/*/operations/*}:cancel", "*"),),
    ),
)


def load_contract(packages: Iterable[str]) -> dict[str, Method]:
    """Every method of every service in `packages`, by path. Importing the packages takes seconds."""
    methods: dict[str, Method] = {}
    for package in packages:
        services = importlib.import_module(f"{package}.services")
        for module in pkgutil.iter_modules(services.__path__):
            for method in _service_methods(f"{services.__name__}.{module.name}.transports"):
                known = methods.setdefault(method.path, method)
                # Operations, Locations and IAMPolicy are mixed into every service, each with the service's own rules.
                rules = dict.fromkeys(known.rules + method.rules)
                methods[method.path] = replace(known, rules=tuple(rules))
    if any(method.response_type is Operation for method in methods.values()):
        for method in _OPERATIONS:
            methods.setdefault(method.path, method)
    return methods


def _service_methods(transports: str) -> Iterator[Method]:
    rest_base = _rest_base(transports)
    transport_class = _class_ending(importlib.import_module(f"{transports}.grpc"), "GrpcTransport")
    recorder = _RecordingChannel()
    transport = transport_class(channel=recorder)
    # Its stubs use an intercepting channel, which asks ours only during a call: create the stubs again.
    properties = list(transport._stubs)
    transport._stubs.clear()
    transport._logged_channel = recorder
    for name in properties:
        signature = getattr(transport_class, name).fget.__annotations__["return"]
        yield _method(getattr(transport, name), signature, rest_base)


def _rest_base(transports: str) -> Any:
    """The class that holds the HTTP rules; None for a package that speaks gRPC alone."""
    if importlib.util.find_spec(f"{transports}.rest_base") is None:
        return None
    return _class_ending(importlib.import_module(f"{transports}.rest_base"), "RestTransport")


def _class_ending(module: Any, suffix: str) -> Any:
    return next(
        value
        for name, value in vars(module).items()
        if name.endswith(suffix) and inspect.isclass(value) and value.__module__ == module.__name__
    )


def _method(stub: "_Stub", signature: Any, rest_base: Any) -> Method:
    """`signature`: the annotation `Callable[[Request], Response]` of the stub's property."""
    (request,), response = get_args(signature)
    binding: Any = getattr(rest_base, f"_Base{stub.path.rpartition('/')[2]}", None)
    # Methods that stream both ways exist over gRPC alone.
    options: list[Mapping[str, str]] = binding._get_http_options() if hasattr(binding, "_get_http_options") else []
    return Method(
        path=stub.path,
        request_type=_raw(request),
        response_type=Operation if stub.path == _WAIT_OPERATION else _raw(response),
        streams_request=stub.streams_request,
        streams_response=stub.streams_response,
        rules=_WITHOUT_REST.get(stub.path)
        or tuple(HttpRule(option["method"].upper(), option["uri"], option.get("body", "")) for option in options),
    )


def _raw(message_type: Any) -> type[Message]:
    """The protobuf class of a proto-plus class, of itself, or of None."""
    raw: type[Message] = Empty
    if message_type is not type(None):
        raw = message_type if issubclass(message_type, Message) else message_type.pb()
    return raw


@dataclass(eq=False)
class _Stub:
    """Neither frozen nor equal to another: google-api-core gives each a `__name__` and keeps it in a dict."""

    path: str
    streams_request: bool
    streams_response: bool


class _RecordingChannel(grpc.Channel):  # type: ignore[misc]  # grpc carries no types
    """A channel whose stubs only return the name of the method that they would call."""

    def unary_unary(self, method: str, *_: Any, **__: Any) -> _Stub:
        return _Stub(method, streams_request=False, streams_response=False)

    def unary_stream(self, method: str, *_: Any, **__: Any) -> _Stub:
        return _Stub(method, streams_request=False, streams_response=True)

    def stream_unary(self, method: str, *_: Any, **__: Any) -> _Stub:
        return _Stub(method, streams_request=True, streams_response=False)

    def stream_stream(self, method: str, *_: Any, **__: Any) -> _Stub:
        return _Stub(method, streams_request=True, streams_response=True)

    def subscribe(self, callback: Callable[..., None], try_to_connect: bool = False) -> None:
        """Does nothing: without a connection, its state never changes."""

    def unsubscribe(self, callback: Callable[..., None]) -> None:
        """See `subscribe`."""

    def close(self) -> None:
        """Does nothing: no connection is open."""

    def __enter__(self) -> "_RecordingChannel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
