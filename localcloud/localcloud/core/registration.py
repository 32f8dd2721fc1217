"""Registration of services: functions on real request messages, registered under their method's name.

    service = Service("google.cloud.aiplatform.v1beta1.EndpointService")

    @service.method("GetEndpoint")
    def get_endpoint(request: Any, cloud: Cloud) -> Message:
        return cloud.store.require(ENDPOINTS, cloud.canonical(request.name))

A function answers REST and gRPC, v1 and v1beta1. The `service.py` of a service's folder declares the rest, as a
`Registration`; `services.registry` lists them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Scope

    from localcloud.core.cloud import Cloud, Part

Handler = Callable[[Any, "Cloud"], Any]
"""A function from the protobuf request (not proto-plus) to the protobuf response, or to an iterable of them if the
method streams. It runs in a thread, so it may block; it refuses by raising `ApiError`."""


class Service:
    """The handlers of one gRPC service, by method name."""

    def __init__(self, name: str) -> None:
        """`name`: the full name, in the version whose messages the handlers take (v1beta1 for Vertex AI)."""
        self.name = name
        self.handlers: dict[str, Handler] = {}

    def method(self, name: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            if name in self.handlers:
                raise ValueError(f"{self.name}.{name} has a handler already")
            self.handlers[name] = handler
            return handler

        return register


@dataclass(frozen=True)
class Host:
    """A host name that a service answers."""

    pattern: str
    """As in `fnmatch`."""
    grpc: bool = False
    """Whether a client may also speak gRPC to it."""


@dataclass(frozen=True)
class Registration:
    """A service: its API, handlers, hosts and state.

    The permissions that its methods ask for are in `permissions.yaml` of the same folder.
    """

    api: str
    """Name of the API that it serves, or serves a part of; faults use this name."""
    hosts: tuple[Host, ...] = ()
    packages: tuple[str, ...] = ()
    """Installed GAPIC packages: they say what the API's methods, messages and HTTP rules are."""
    handlers: tuple[Service, ...] = ()
    """Handlers of methods in those packages, or in the packages of another registration."""
    routes: tuple["BaseRoute", ...] = ()
    """Routes that come before the API's contract: streams, and versions that no package has."""
    app: "Callable[[Cloud], ASGIApp] | None" = None
    """The whole application, tokens included, of an API that no package describes."""
    api_of: "Callable[[Scope], str] | None" = None
    """For an `app` that serves several APIs: the API of a request; "" where faults may not strike."""
    parts: "tuple[type[Part], ...]" = ()
    """State in memory: each is started when every port answers, and stopped, in the opposite order, with the daemon."""


HandlerTable = Mapping[str, Handler]
"""By full method name, as gRPC writes it: `/google.cloud.aiplatform.v1beta1.EndpointService/GetEndpoint`."""


def handler_table(services: Iterable[Service]) -> HandlerTable:
    """Every handler of `services`. Raises ValueError where a method has two."""
    table: dict[str, Handler] = {}
    for service in services:
        for name, handler in service.handlers.items():
            path = f"/{service.name}/{name}"
            if path in table:
                raise ValueError(f"two handlers for {path}")
            table[path] = handler
    return table
