"""Service Usage: the APIs that a project has enabled. None at first; the local cloud also serves disabled APIs.

Enabling Compute Engine's API creates the project's default service account.
"""

import re
from typing import Any

from google.cloud.service_usage_v1.types import (
    BatchEnableServicesResponse,
    BatchGetServicesResponse,
    DisableServiceResponse,
    EnableServiceResponse,
    ListServicesResponse,
    Service,
    State,
)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.permissions import accounts
from localcloud.core.permissions.accounts import ENABLED_SERVICES
from localcloud.core.registration import Service as ServiceHandlers

# `BatchEnableServicesRequest.service_ids`: "A single request can enable a maximum of 20 services at a time."
_LARGEST_BATCH = 20
_API = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.googleapis\.com")

service = ServiceHandlers("google.api.serviceusage.v1.ServiceUsage")


@service.method("GetService")
def get_service(request: Any, cloud: Cloud) -> Message:
    return _service(cloud, request.name)


@service.method("ListServices")
def list_services(request: Any, cloud: Cloud) -> Message:
    """Lists the APIs that were ever enabled or disabled."""
    chosen, token = page(cloud.store.list(ENABLED_SERVICES, cloud.canonical(request.parent)), request)
    return ListServicesResponse.pb()(services=chosen, next_page_token=token)


@service.method("EnableService")
def enable_service(request: Any, cloud: Cloud) -> Message:
    changed = _enable(cloud, request.name)
    return _done(cloud, changed, EnableServiceResponse.pb()(service=changed))


@service.method("DisableService")
def disable_service(request: Any, cloud: Cloud) -> Message:
    changed = _change(cloud, request.name, State.DISABLED)
    return _done(cloud, changed, DisableServiceResponse.pb()(service=changed))


@service.method("BatchEnableServices")
def batch_enable_services(request: Any, cloud: Cloud) -> Message:
    """Enables all these APIs, or none. Raises ApiError if one is unknown."""
    names = [f"{request.parent}/services/{api}" for api in request.service_ids]
    if not 1 <= len(names) <= _LARGEST_BATCH:
        raise ApiError("INVALID_ARGUMENT", f"A batch has 1 to {_LARGEST_BATCH} services; got {len(names)}.")
    with cloud.store.transaction():
        changed = [_enable(cloud, name) for name in names]
    return _done(cloud, changed[0], BatchEnableServicesResponse.pb()(services=changed))


@service.method("BatchGetServices")
def batch_get_services(request: Any, cloud: Cloud) -> Message:
    services = [_service(cloud, name) for name in request.names]
    return BatchGetServicesResponse.pb()(services=services)


def _enable(cloud: Cloud, name: str) -> Any:
    changed = _change(cloud, name, State.ENABLED)
    if changed.config.name == accounts.COMPUTE_API:
        accounts.make_compute_account(cloud, changed.parent.partition("/")[2])
    return changed


def _change(cloud: Cloud, name: str, state: State) -> Any:
    changed = _service(cloud, name)
    changed.state = state
    cloud.store.put(ENABLED_SERVICES, changed.name, changed)
    return changed


def _service(cloud: Cloud, name: str) -> Any:
    canonical = cloud.canonical(name)
    parent, _, api = canonical.partition("/services/")
    if not _API.fullmatch(api):
        raise ApiError("PERMISSION_DENIED", f"Not found or permission denied for service(s): {api}.")
    known = cloud.store.get(ENABLED_SERVICES, canonical)
    return known or Service.pb()(name=canonical, parent=parent, config={"name": api}, state=State.DISABLED)


def _done(cloud: Cloud, changed: Any, response: Message) -> Message:
    # The operation has no parent and no metadata (recorded in 2026).
    return cloud.operations.finished("", metadata=Empty(), response=response)
