"""The path of a call from the socket to its handler; the answer takes the same path back.

    proxy.Proxy                        ends TLS for the hosts of the services; HTTP/2 goes on as gRPC, the rest as HTTP
      HTTP/1.1
        doors.no_other_origin          no page in a browser may call
        by_host                        finds the API
        faults.http_faults.FaultyApp   posted faults strike
        identified                     the caller, by the token
        a route of the service         streams, and versions of the API that no package describes
        or rest.RestApi                transcoding: URL and JSON into a protobuf message
      gRPC
        faults.grpc_faults             posted faults strike
        grpc_server                    the caller, by the token; bytes into a protobuf message
      both
        dispatch.Dispatcher            the API's version, the permission, the handler

An API that no package describes (`Registration.app`) identifies callers and checks permissions by itself, because its
tokens, errors and URLs have their own forms.
"""

from collections.abc import Mapping, Sequence

import grpc
from google.longrunning.operations_pb2 import Operation
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import calling_as
from localcloud.core.cloud import Cloud
from localcloud.core.registration import Registration, handler_table
from localcloud.faults import Faults
from localcloud.faults.grpc_faults import FaultInterceptor
from localcloud.faults.http_faults import FaultyApp
from localcloud.front.contract import Method, load_contract
from localcloud.front.dispatch import Dispatcher
from localcloud.front.grpc_server import start_grpc_server
from localcloud.front.rest import RestApi
from localcloud.services.hosts import route_of

_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Chain:
    """The services of one cloud, ready to be called over gRPC and over HTTP."""

    def __init__(self, cloud: Cloud, services: Sequence[Registration]) -> None:
        """Raises ValueError for a handler of a method that no contract knows."""
        self._cloud = cloud
        self._services = services
        self._contracts = {each.api: load_contract(each.packages) for each in services if each.packages}
        self._contract = {path: method for methods in self._contracts.values() for path, method in methods.items()}
        handlers = handler_table(handlers for each in services for handlers in each.handlers)
        self._dispatcher = Dispatcher(self._contract, handlers, cloud)
        self.faults = Faults(_rpcs(self._contracts))

    def http_apps(self) -> Mapping[str, ASGIApp]:
        """By API, the application that answers it over HTTP/1.1, struck by posted faults."""
        apps: dict[str, ASGIApp] = {}
        for service in self._services:
            if service.app is not None:
                apps[service.api] = FaultyApp(service.app(self._cloud), self.faults, service.api_of or service.api)
            elif service.packages:
                apps[service.api] = self._contract_app(service)
        return apps

    def start_grpc(self) -> grpc.Server:
        """Serves every method of every contract over gRPC."""
        cloud, interceptors = self._cloud, [FaultInterceptor(self.faults)]
        return start_grpc_server(self._contract, self._dispatcher, cloud.check_token, cloud.ports.grpc, interceptors)

    def _contract_app(self, service: Registration) -> ASGIApp:
        rest = RestApi(self._contracts[service.api].values(), self._dispatcher)
        routes = [*service.routes, Route("/{path:path}", rest.answer, methods=_VERBS)]
        app = Starlette(routes=routes, exception_handlers={ApiError: _refuse})
        app.state.cloud = self._cloud
        app.state.dispatcher = self._dispatcher
        return FaultyApp(identified(app, self._cloud), self.faults, service.api, rest.rpc_of)


def by_host(apps: Mapping[str, ASGIApp]) -> ASGIApp:
    """The application of the API that the Host header names."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        host = Request(scope).headers.get("host", "").partition(":")[0]
        route = route_of(host)
        if route is None:
            error = ApiError(
                "NOT_FOUND", f"local cloud has no route for {host}; its API answers to Google's host names."
            )
            await _refuse(Request(scope), error)(scope, receive, send)
            return
        await apps[route.app](scope, receive, send)

    return app


def identified(app: ASGIApp, cloud: Cloud) -> ASGIApp:
    """`app`, called as the member whose token the request has; a request without a valid one is refused."""

    async def check_token_first(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            member = cloud.check_token(Request(scope).headers.get("authorization", ""))
        except ApiError as error:
            await _refuse(Request(scope), error)(scope, receive, send)
            return
        with calling_as(member):
            await app(scope, receive, send)

    return check_token_first


def _rpcs(contracts: Mapping[str, Mapping[str, Method]]) -> dict[str, dict[str, bool]]:
    """By API, its methods as `Service/Method`, and whether one starts a long-running operation."""
    return {
        api: {method.rpc: _starts_operation(method) for method in contract.values()}
        for api, contract in contracts.items()
    }


def _starts_operation(method: Method) -> bool:
    return method.response_type is Operation and method.service != "google.longrunning.Operations"


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
