"""Cloud Quotas: how many accelerators a project may serve with in a region. Limits come from `quotas.yaml`."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from google.cloud.cloudquotas_v1.types import DimensionsInfo, ListQuotaInfosResponse, QuotaInfo
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int64Value

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.core.store import Kind

_LIMITS = Kind("quota limit", Int64Value)
_DATA = Path(__file__).with_name("quotas.yaml")

service = Service("google.api.cloudquotas.v1.CloudQuotas")


@dataclass(frozen=True)
class Quota:
    """One row of `quotas.yaml`."""

    id: str
    metric: str
    title: str
    limit: int
    """Limit of every region in accelerators or CPUs, unless an override sets another."""


@dataclass(frozen=True)
class Catalogue:
    service: str
    locations: tuple[str, ...]
    quotas: dict[str, Quota]


@cache
def catalogue() -> Catalogue:
    content = yaml.safe_load(_DATA.read_text())
    quotas = [quota for row in content["accelerators"] for quota in _quotas_of(content["service"], row)]
    quotas += [_quotas_of(content["service"], {**row, "preemptible_limit": 0})[0] for row in content["cpus"]]
    return Catalogue(content["service"], tuple(content["locations"].split()), {quota.id: quota for quota in quotas})


def _quotas_of(service_name: str, row: dict[str, Any]) -> tuple[Quota, Quota]:
    title = row["title"]
    return (
        Quota(
            f"CustomModelServing{row['id']}PerProjectPerRegion",
            f"{service_name}/custom_model_serving_{row['metric']}",
            f"Custom model serving {title} per region",
            row["limit"],
        ),
        Quota(
            f"CustomModelServingPreemptible{row['id']}PerProjectPerRegion",
            f"{service_name}/custom_model_serving_preemptible_{row['metric']}",
            f"Custom model serving preemptible {title} per region",
            row["preemptible_limit"],
        ),
    )


def set_quota_limit(cloud: Cloud, project: str, region: str, quota_id: str, limit: int) -> None:
    """Overrides one limit. Raises ApiError INVALID_ARGUMENT for an unknown quota or region, or a negative limit."""
    quota = catalogue().quotas.get(quota_id)
    if quota is None:
        raise ApiError("INVALID_ARGUMENT", f"There is no quota {quota_id}; there are {', '.join(catalogue().quotas)}.")
    if region not in catalogue().locations:
        raise ApiError(
            "INVALID_ARGUMENT", f"There is no region {region}; there are {', '.join(catalogue().locations)}."
        )
    if limit < 0:
        raise ApiError("INVALID_ARGUMENT", f"A limit must not be negative; got {limit}.")
    cloud.store.put(_LIMITS, _limit_name(cloud, project, quota_id, region), Int64Value(value=limit))


def quota_limit(cloud: Cloud, project: str, region: str, quota_id: str) -> int:
    """Accelerators of `quota_id` that `project` may have in `region`. Raises ApiError NOT_FOUND."""
    quota = catalogue().quotas.get(quota_id)
    if quota is None:
        raise ApiError("NOT_FOUND", f"There is no quota {quota_id}.")
    override = cloud.store.get(_LIMITS, _limit_name(cloud, project, quota_id, region))
    return override.value if override is not None else quota.limit


@service.method("GetQuotaInfo")
def get_quota_info(request: Any, cloud: Cloud) -> Message:
    parent, _, quota_id = request.name.partition("/quotaInfos/")
    _check_parent(parent)
    quota = catalogue().quotas.get(quota_id)
    if quota is None:
        raise ApiError("NOT_FOUND", f"Quota info {request.name} does not exist.")
    return _quota_info(cloud, parent, quota)


@service.method("ListQuotaInfos")
def list_quota_infos(request: Any, cloud: Cloud) -> Message:
    _check_parent(request.parent)
    chosen, token = page(list(catalogue().quotas.values()), request)
    infos = [_quota_info(cloud, request.parent, quota) for quota in chosen]
    return ListQuotaInfosResponse.pb()(quota_infos=infos, next_page_token=token)


def _check_parent(parent: str) -> None:
    """Raises ApiError INVALID_ARGUMENT for another form of name, NOT_FOUND for another service."""
    parts = parent.split("/")
    if parts[::2] != ["projects", "locations", "services"] or len(parts) != 6 or parts[3] != "global":
        raise ApiError(
            "INVALID_ARGUMENT", f"{parent!r} is not of the form projects/PROJECT/locations/global/services/SERVICE."
        )
    if parts[5] != catalogue().service:
        raise ApiError("NOT_FOUND", f"The local cloud keeps quotas of {catalogue().service} only, not of {parts[5]}.")


def _quota_info(cloud: Cloud, parent: str, quota: Quota) -> Any:
    project = parent.split("/")[1]
    return QuotaInfo.pb()(
        name=f"{cloud.canonical(parent)}/quotaInfos/{quota.id}",
        quota_id=quota.id,
        metric=quota.metric,
        service=catalogue().service,
        container_type=QuotaInfo.ContainerType.PROJECT,
        dimensions=["region"],
        metric_display_name=quota.title,
        quota_display_name=quota.title,
        metric_unit="1",
        dimensions_infos=_dimensions_infos(cloud, project, quota),
    )


def _dimensions_infos(cloud: Cloud, project: str, quota: Quota) -> list[Any]:
    """A row for each overridden region, then one for all other regions."""
    rows, others = [], []
    for region in catalogue().locations:
        override = cloud.store.get(_LIMITS, _limit_name(cloud, project, quota.id, region))
        if override is None:
            others.append(region)
        else:
            rows.append(_dimensions_info(override.value, [region], {"region": region}))
    return [*rows, _dimensions_info(quota.limit, others, {})] if others else rows


def _dimensions_info(value: int, locations: list[str], dimensions: dict[str, str]) -> Any:
    return DimensionsInfo.pb()(dimensions=dimensions, details={"value": value}, applicable_locations=locations)


def _limit_name(cloud: Cloud, project: str, quota_id: str, region: str) -> str:
    return f"projects/{cloud.project_number(project)}/quotas/{quota_id}/regions/{region}"
