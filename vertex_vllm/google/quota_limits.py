"""Cloud Quotas: the limit of one quota of Vertex AI in one region."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from vertex_vllm.errors import ServiceError
from vertex_vllm.google.error_boundary import enable_api, google_errors, refusal_of
from vertex_vllm.google.shared_clients import google_client

if TYPE_CHECKING:
    from google.cloud.cloudquotas_v1 import DimensionsInfo

SERVICE = "aiplatform.googleapis.com"
CPU_QUOTA = "CustomModelServingCPUsPerProjectPerRegion"
"""Quota that machines of the N1 family need besides that of their accelerators (vertex-ai-samples#264)."""
_N1 = re.compile(r"n1-[a-z]+-(?P<cpus>[0-9]+)")


class NoSuchQuotaError(ServiceError):
    """Cloud Quotas knows no quota of that id."""


def n1_cpus(machine_type: str) -> int:
    """CPUs of a machine of the N1 family, whose name ends with the number; 0 for every other machine."""
    match = _N1.fullmatch(machine_type)
    return int(match["cpus"]) if match else 0


def limit_in_region(rows: "Iterable[DimensionsInfo]", region: str) -> int:
    """The limit in `region`: the row of that region, else one that applies there, else a global one, else 0."""
    candidates = list(rows)
    for applies in (_is_of_region, _applies_in_region, _is_global):
        for row in candidates:
            if applies(row, region):
                return int(row.details.value)
    return 0


def read_limit(project: str, quota_id: str, region: str) -> int:
    """Accelerators, or CPUs, that the project may hold in the region; -1: unlimited.

    Raises NoSuchQuotaError for an id that Cloud Quotas does not know, ServiceError when it cannot be read.
    """
    from google.api_core.exceptions import NotFound, PermissionDenied
    from google.cloud.cloudquotas_v1 import CloudQuotasClient

    name = f"projects/{project}/locations/global/services/{SERVICE}/quotaInfos/{quota_id}"
    with google_errors("Cloud Quotas", name):
        try:
            info = google_client(CloudQuotasClient).get_quota_info(name=name)
        except NotFound as error:
            raise NoSuchQuotaError(
                "Vertex AI has no such quota", where=name, fix="Choose another accelerator, or report this one."
            ) from error
        except PermissionDenied as error:
            refusal = refusal_of(error)
            if enable_api(refusal):
                raise
            fix = f"Grant roles/cloudquotas.viewer on project {project} to whoever runs this."
            raise ServiceError("this account may not read the quota", where=name, fix=fix, refusal=refusal) from error
    return limit_in_region(info.dimensions_infos, region)


def _is_of_region(row: "DimensionsInfo", region: str) -> bool:
    return str(row.dimensions.get("region", "")) == region


def _applies_in_region(row: "DimensionsInfo", region: str) -> bool:
    return "region" not in row.dimensions and region in row.applicable_locations


def _is_global(row: "DimensionsInfo", region: str) -> bool:
    return "region" not in row.dimensions and set(row.applicable_locations) <= {"global"}
