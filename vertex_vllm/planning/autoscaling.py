"""The metric that an endpoint is scaled by, and whether it will exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vertex_vllm.errors import PlanError
from vertex_vllm.vllm_versions import version_key


@dataclass(frozen=True)
class ScalingMetric:
    name: str
    """Name of the metric in Cloud Monitoring."""
    target: int
    """For the queue: requests that wait on a replica; for the machine: percent of the accelerators' time."""


def scaling_metric(vllm_version: str, args: Sequence[str], least: int, most: int) -> ScalingMetric | None:
    """The metric to scale by; None where the replicas are fixed: `least` is `most`.

    vLLM's queue where the image's vLLM has that series (`vllm_version`: `0.9.2`, `0.11.0 to 0.13.0` or `unknown`), else
    the accelerators' time. Raises PlanError where an argument disables the series: replicas would never be added.
    """
    if most <= least:
        return None
    table = _table()
    silent = [argument for argument in args if argument.partition("=")[0] in table["silencing"]]
    if silent:
        raise PlanError(
            f"{silent[0]} takes away the metric that {least} to {most} replicas are scaled by",
            where="serving.extra_args",
            fix="Leave it out, or set serving.max_replica_count to serving.min_replica_count",
        )
    row = table["queue"] if _has_series(vllm_version, table["queue"]) else table["machine"]
    return ScalingMetric(row["metric"], row["target"])


def _has_series(vllm_version: str, row: dict[str, Any]) -> bool:
    """Whether every version that the image may have is known to have it."""
    earliest, _, latest = vllm_version.partition(" to ")
    if not earliest[:1].isdigit():
        return False
    first, last = version_key(row["first"]), version_key(row["last"])
    return all(first <= version_key(version) <= last for version in (earliest, latest or earliest))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("autoscaling.yaml").read_text(encoding="utf-8"))
    return table
