"""The API that answers each host, from the registrations; the proxy and the HTTP server share it."""

import fnmatch
from dataclasses import dataclass

from localcloud.services.registry import SERVICES


@dataclass(frozen=True)
class Route:
    host: str
    """A pattern as in `fnmatch`."""
    app: str
    """The name of the API."""
    grpc: bool = False
    """Whether a client may also speak gRPC to it."""


ROUTES = tuple(Route(host.pattern, service.api, host.grpc) for service in SERVICES for host in service.hosts)

API_PACKAGES = {service.api: service.packages for service in SERVICES if service.packages}
"""By API, the installed GAPIC packages that say what its methods, messages and HTTP rules are."""


def route_of(host: str) -> Route | None:
    """`host` without a port, in any case."""
    return next((route for route in ROUTES if fnmatch.fnmatchcase(host.lower(), route.host)), None)
