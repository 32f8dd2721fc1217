"""How a service is written: functions on real request messages, registered under their method's name.

    service = Service("google.cloud.aiplatform.v1beta1.EndpointService")

    @service.method("GetEndpoint")
    def get_endpoint(request: Any, cloud: Cloud) -> Message:
        return cloud.store.require(ENDPOINTS, cloud.canonical(request.name))

One function answers REST and gRPC, v1 and v1beta1.
"""

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.core.cloud import Cloud

Handler = Callable[[Any, "Cloud"], Any]
"""Takes the protobuf request (not proto-plus), returns the protobuf response, or an iterable of them for a method that
streams. Runs in a thread, so it may block. Refuses by raising `ApiError`."""


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


HandlerTable = Mapping[str, Handler]
"""By full method name, as gRPC writes it: `/google.cloud.aiplatform.v1beta1.EndpointService/GetEndpoint`."""


def handler_table(modules: Iterable[ModuleType]) -> HandlerTable:
    """Every handler of every `Service` that stands at the top of one of `modules`."""
    table: dict[str, Handler] = {}
    for module in modules:
        for service in (value for value in vars(module).values() if isinstance(value, Service)):
            for name, handler in service.handlers.items():
                path = f"/{service.name}/{name}"
                if table.setdefault(path, handler) is not handler:
                    raise ValueError(f"two handlers for {path}; one is in {module.__name__}")
    return table
