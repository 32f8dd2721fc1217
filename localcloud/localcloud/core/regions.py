"""Regions that a project may not use: closed_regions.yaml names them, and a test closes or opens others."""

import re
from functools import cache
from pathlib import Path

import yaml
from google.protobuf.wrappers_pb2 import BoolValue
from google.rpc.error_details_pb2 import ErrorInfo, Help, LocalizedMessage

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.store import Kind

_CLOSED = Kind("region closed", BoolValue)
_DATA = Path(__file__).with_name("closed_regions.yaml")
_LOCATION = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<region>[a-z0-9-]+)")
_HELP = (
    "Access to the region is unavailable. Please contact our sales team at https://cloud.google.com/contact for "
    "further assistance."
)


def close(cloud: Cloud, region: str, *, closed: bool = True) -> None:
    """Closes a region for every project, until `closed=False` opens it again."""
    cloud.store.put(_CLOSED, region, BoolValue(value=closed))


def check_open(cloud: Cloud, resource: str) -> None:
    """Raises ApiError PERMISSION_DENIED, reason LOCATION_POLICY_VIOLATED, for a resource of a closed region."""
    found = _LOCATION.match(resource)
    if found is None or not _is_closed(cloud, found["region"]):
        return
    message = f"Permission denied on 'locations/{found['region']}' (or it may not exist)."
    metadata = {"consumer": f"projects/{found['project']}", "location": found["region"], "service": ""}
    details = [
        ErrorInfo(reason="LOCATION_POLICY_VIOLATED", domain="googleapis.com", metadata=metadata),
        LocalizedMessage(locale="en-US", message=message),
        Help(links=[Help.Link(description=_HELP)]),
    ]
    raise ApiError("PERMISSION_DENIED", message, details)


def _is_closed(cloud: Cloud, region: str) -> bool:
    said = cloud.store.get(_CLOSED, region)
    return said.value if said is not None else region in _usually_closed()


@cache
def _usually_closed() -> frozenset[str]:
    return frozenset(row["region"] for row in yaml.safe_load(_DATA.read_text())["regions"])
