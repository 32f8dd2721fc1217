"""Hosts of Google's regional services. Our access token is sent to them, so a host is built in this module alone.

A region comes from configs, options, resource names and objects in buckets. `evil.example#` in the place of one would
make the rest of the address a fragment, and gRPC and requests would both send the token to evil.example.
"""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vertex_vllm.errors import InputError

Place = TypeVar("Place")
Answer = TypeVar("Answer")

_REGIONS_AT_ONCE = 8

# "us-central1", "northamerica-northeast2": https://cloud.google.com/compute/docs/regions-zones, 2026-11-30.
REGION = r"[a-z]+-[a-z]+[0-9]+"
# DedicatedEndpointDns of Vertex AI's Endpoint: ENDPOINT.REGION-PROJECT_NUMBER.prediction.vertexai.goog.
_DEDICATED = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+\.prediction\.vertexai\.goog")


def vertex_ai_host(region: str) -> str:
    """Host of Vertex AI in the region. Raises InputError for what is not a region."""
    return f"{require_region(region)}-aiplatform.googleapis.com"


def docker_registry(region: str) -> str:
    """Host of Artifact Registry's images in the region. Raises InputError for what is not a region."""
    return f"{require_region(region)}-docker.pkg.dev"


def kfp_registry(region: str) -> str:
    """Host of Artifact Registry's pipeline templates in the region. Raises InputError for what is not a region."""
    return f"{require_region(region)}-kfp.pkg.dev"


def dedicated_host(dns_name: str) -> str:
    """`dns_name`, if it is the host of a dedicated endpoint of Vertex AI. Raises InputError for any other."""
    if not _DEDICATED.fullmatch(dns_name):
        raise InputError(
            f"`{dns_name}` is not the host of a dedicated endpoint",
            fix="It must be ENDPOINT.REGION-PROJECT_NUMBER.prediction.vertexai.goog.",
        )
    return dns_name


def require_region(region: str, where: str = "") -> str:
    """`region`, if it is of a region's form. Raises InputError; `where` names the option or field."""
    if not re.fullmatch(REGION, region):
        fix = "A region is, for example, us-central1."
        raise InputError(f"`{region}` is not a Google Cloud region", where=where, fix=fix)
    return region


def in_parallel(ask: Callable[[Place], Answer], places: Sequence[Place]) -> list[Answer]:
    """Answers for regions, or for one item per region, in their order; a few calls run at a time."""
    with ThreadPoolExecutor(_REGIONS_AT_ONCE) as pool:
        return list(pool.map(ask, places))
