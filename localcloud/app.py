"""What the local cloud is made of: the list of its services, and the HTTP application that finds them by host."""

import importlib
import logging
from collections.abc import Mapping
from types import ModuleType

from google.longrunning.operations_pb2 import Operation
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.callers import calling_as
from localcloud.cloud import Cloud
from localcloud.contract import Method, load_contract
from localcloud.dispatch import Dispatcher
from localcloud.errors import ApiError
from localcloud.faults import Faults
from localcloud.faults.http_faults import FaultyApp
from localcloud.google import iam, identity, kfp_registry
from localcloud.hosts import API_PACKAGES, route_of
from localcloud.rest import RestApi
from localcloud.services import handler_table

# Every module with a `Service`; one may also have `on_start(cloud)` and `on_stop(cloud)`.
SERVICE_MODULES = (
    "localcloud.google.operations",
    "localcloud.google.secret_manager",
    "localcloud.google.cloud_quotas",
    "localcloud.google.quota_preferences",
    "localcloud.google.resource_manager",
    "localcloud.google.resource_manager_v1",
    "localcloud.google.service_usage",
    "localcloud.google.service_usage_v1beta1",
    "localcloud.google.artifact_registry",
    "localcloud.google.artifact_packages",
    "localcloud.google.cloud_build",
    "localcloud.google.log_entries",
    "localcloud.kms.service",
    "localcloud.kms.policies",
    "localcloud.vertex.models",
    "localcloud.vertex.endpoints",
    "localcloud.vertex.prediction",
    "localcloud.vertex.jobs",
    "localcloud.pipelines.service",
    "localcloud.pipelines.schedules",
)

_LOG = logging.getLogger(__name__)

_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Services:
    """The services of one cloud, ready to be called over gRPC and REST."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._modules = [importlib.import_module(name) for name in SERVICE_MODULES]
        self._contracts = {name: load_contract(packages) for name, packages in API_PACKAGES.items()}
        self.contract: Mapping[str, Method] = {
            path: method for contract in self._contracts.values() for path, method in contract.items()
        }
        self.dispatcher = Dispatcher(self.contract, handler_table(self._modules), cloud)

    def start(self) -> None:
        """To be called when every port answers: a service may start what calls back."""
        for module in self._modules:
            _call(module, "on_start", self._cloud)

    def stop(self) -> None:
        """In the opposite order: what runs pipelines ends before the endpoints that they use."""
        for module in reversed(self._modules):
            try:
                _call(module, "on_stop", self._cloud)
            except Exception:  # the others must stop all the same
                _LOG.exception("%s did not stop in order", module.__name__)

    def rpcs(self) -> dict[str, dict[str, bool]]:
        """By service, its methods as `Service/Method`, and whether one starts a long-running operation."""
        return {
            name: {method.rpc: _starts_operation(method) for method in contract.values()}
            for name, contract in self._contracts.items()
        }

    def http_app(self, *, storage: ASGIApp, hub: ASGIApp, faults: Faults) -> ASGIApp:
        """Everything that is asked over HTTP/1.1, by the Host header. `storage` and `hub` have their faults already."""
        apps: dict[str, ASGIApp] = {
            "storage": storage,
            "hub": hub,
            "identity": FaultyApp(identity.create_app(self._cloud), faults, "identity"),
            "iam": FaultyApp(iam.create_app(self._cloud), faults, "iam"),
            "kfp-registry": FaultyApp(kfp_registry.create_app(self._cloud), faults, "kfp-registry"),
        }
        for name, contract in self._contracts.items():
            rest = RestApi(contract.values(), self.dispatcher)
            app = _api_app(self._cloud, self.dispatcher, rest, self._routes_before(name))
            apps[name] = FaultyApp(app, faults, name, rest.rpc_of)
        return _by_host(apps)

    def _routes_before(self, api: str) -> list[BaseRoute]:
        """Asked before the contract of `api`: predictions, which stream, and versions that no client package has."""
        routes: list[BaseRoute] = []
        for module in self._modules:
            routes += getattr(module, "EXTRA_ROUTES", {}).get(api, [])
        return routes


def _starts_operation(method: Method) -> bool:
    return method.response_type is Operation and method.service != "google.longrunning.Operations"


def _call(module: ModuleType, function: str, cloud: Cloud) -> None:
    if hasattr(module, function):
        getattr(module, function)(cloud)


def _api_app(cloud: Cloud, dispatcher: Dispatcher, rest: RestApi, routes: list[BaseRoute]) -> ASGIApp:
    app = Starlette(
        routes=[*routes, Route("/{path:path}", rest.answer, methods=_VERBS)],
        exception_handlers={ApiError: _refuse},
    )
    app.state.cloud = cloud
    app.state.dispatcher = dispatcher

    async def check_token_first(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            member = cloud.check_token(Request(scope).headers.get("authorization", ""))
        except ApiError as error:
            await _refuse(Request(scope), error)(scope, receive, send)
            return
        with calling_as(member):
            await app(scope, receive, send)

    return check_token_first


def _by_host(apps: Mapping[str, ASGIApp]) -> ASGIApp:
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


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
