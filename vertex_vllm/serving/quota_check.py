"""Checks with Cloud Quotas that the project may hold as many accelerators as the plan needs.

A limit does not promise capacity. Use is the size that endpoints may grow to; accelerators of other
Vertex AI services are not counted.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vertex_vllm.errors import QuotaShortageError, ServiceError
from vertex_vllm.google.quota_limits import CPU_QUOTA, SERVICE, NoSuchQuotaError, n1_cpus, read_limit
from vertex_vllm.labels import endpoint_resource_id
from vertex_vllm.planning.headroom import UNLIMITED, Headroom, Quotas
from vertex_vllm.planning.plan import QuotaNeed

if TYPE_CHECKING:
    from vertex_vllm.planning.plan import ServingPlan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Used:
    """Part of one quota in one region that other endpoints hold."""

    least: int = 0
    """Accelerators with the fewest replicas of each endpoint."""
    most: int = 0
    endpoints: tuple[str, ...] = ()
    """Ids of those endpoints."""

    def __str__(self) -> str:
        return str(self.most) if self.least == self.most else f"{self.least} to {self.most}"


NOTHING = Used()


@dataclass(frozen=True)
class QuotaVerdict:
    """The project's quota in the region, compared with the plan's need."""

    quota_id: str
    region: str
    limit: int
    """Accelerators; -1 is unlimited."""
    need: int
    """Accelerators with all replicas running."""
    minimum: int
    """Accelerators with as few replicas running as the plan allows."""
    warning: str
    """Why the plan may start and yet not grow to its largest size; empty: it may grow."""
    used: Used = NOTHING
    """Accelerators that other endpoints hold."""


def judge(project: str, need: QuotaNeed, limit: int, preemptible: bool, used: Used = NOTHING) -> QuotaVerdict:
    """Verdict on a limit. Raises QuotaShortageError when not even the plan's minimum fits beside what is in use.

    The documents contradict each other on whether Vertex charges the quota for the most replicas or for those that run
    (DedicatedResources in v1beta1 against "Autoscaling"). A limit below the maximum of the plan, or of other endpoints,
    is therefore a warning and not an error.
    """
    kind = "CPUs" if need.quota_id == CPU_QUOTA else "preemptible accelerators" if preemptible else "accelerators"
    have = f"{limit} {kind} in {need.region} by quota {need.quota_id}"
    if used.endpoints:
        have += f", of which {used} are in use ({', '.join(used.endpoints)})"
    verdict = QuotaVerdict(need.quota_id, need.region, limit, need.accelerators, need.minimum, "", used)
    if limit == UNLIMITED:
        return verdict
    if limit - used.least < need.minimum:
        raise QuotaShortageError(
            f"the project has {have}; the plan needs {need.minimum} to start and {need.accelerators} at most",
            where=project,
            fix=_how_to_ask(project, need, used),
            quota_id=need.quota_id,
            region=need.region,
            limit=limit,
            needed=need.minimum,
        )
    if limit - used.most < need.accelerators:
        warning = f"the project has {have}: the plan starts with {need.minimum}, but "
        warning += f"cannot grow to {need.accelerators}" if limit < need.accelerators else "may find too few left"
        return replace(verdict, warning=warning)
    return verdict


def check_quota(project: str, need: QuotaNeed, preemptible: bool, own_endpoint: str = "") -> QuotaVerdict:
    """Verdict on the plan's need, from the limit that Cloud Quotas gives for `project` and what its endpoints hold.

    The endpoint of id `own_endpoint` is the plan's own, from an earlier run of the same config, and does not count.
    Another config of the deployment has an endpoint beside it until it is torn down, which counts. Logs
    the verdict's warning. Raises QuotaShortageError naming quota, region, have and need; ServiceError when Cloud Quotas
    cannot be asked.
    """
    limit = read_limit(project, need.quota_id, need.region)
    verdict = judge(project, need, limit, preemptible, _used(project, need, own_endpoint))
    if verdict.warning:
        log.warning(verdict.warning)
    return verdict


def _used(project: str, need: QuotaNeed, own_endpoint: str) -> Used:
    from vertex_vllm.serving.quota_use import held

    try:
        others = [
            one
            for one in held(project, need.region)
            if one.quota_id == need.quota_id and one.endpoint_id != own_endpoint
        ]
    except ServiceError as error:
        log.warning("The accelerators in use in %s could not be read and are not counted: %s", need.region, error)
        return NOTHING
    endpoints = dict.fromkeys(one.endpoint_id for one in others)
    return Used(sum(one.least for one in others), sum(one.most for one in others), tuple(endpoints))


def check_quotas(project: str, plan: "ServingPlan") -> QuotaVerdict:
    """Verdict on the plan, or on the first of its fallbacks that the quota lets start. Raises as `check_quota`."""
    try:
        return _check_place(project, plan)
    except QuotaShortageError as shortage:
        for fallback in plan.fallbacks:
            try:
                verdict = _check_place(project, fallback)
            except QuotaShortageError:
                continue
            log.warning("%s; a fallback may start: %s in %s", shortage, fallback.machine_type, fallback.region)
            return verdict
        raise


def _check_place(project: str, plan: "ServingPlan") -> QuotaVerdict:
    """Verdict on the plan's accelerators, once its CPUs are found to fit, too."""
    own = endpoint_resource_id(plan.deployment, plan.served_id)
    if cpus := cpu_need(plan):
        try:
            check_quota(project, cpus, plan.preemptible, own)
        except NoSuchQuotaError as error:
            log.warning("The quota of CPUs is not checked: %s", error)
    return check_quota(project, plan.quota, plan.preemptible, own)


def cpu_need(plan: "ServingPlan") -> QuotaNeed | None:
    """CPUs that count against a quota of their own: those of N1 machines. None for all others and preemptible ones."""
    cpus = n1_cpus(plan.machine_type)
    if not cpus or plan.preemptible:
        return None
    return QuotaNeed(CPU_QUOTA, plan.region, cpus * plan.max_replica_count, cpus * plan.min_replica_count)


def read_quotas(project: str, region: str, quota_ids: Iterable[str]) -> Quotas:
    """Headroom by quota: limits less what endpoints hold. A quota that cannot be read is left out and logged."""
    from vertex_vllm.serving.quota_use import accelerators_in_use

    try:
        in_use: Mapping[str, int] | None = accelerators_in_use(project, region)
    except ServiceError as error:
        log.warning("The accelerators in use in %s could not be read: %s", region, error)
        in_use = None
    found: dict[tuple[str, str], Headroom] = {}
    for quota_id in quota_ids:
        try:
            limit = read_limit(project, quota_id, region)
        except ServiceError as error:
            log.warning("Quota %s could not be read: %s", quota_id, error)
            continue
        found[quota_id, region] = Headroom(limit, None if in_use is None else in_use.get(quota_id, 0))
    return found


def _how_to_ask(project: str, need: QuotaNeed, used: Used = NOTHING) -> str:
    teardown = f"Tear down what is not needed (vertex-vllm endpoints list --project {project}), or ask"
    first = teardown if used.endpoints else "Ask"
    return (
        f"{first} for more at https://console.cloud.google.com/iam-admin/quotas?project={project} or with: "
        f"gcloud beta quotas preferences create --project={project} --service={SERVICE} --quota-id={need.quota_id} "
        f"--dimensions=region={need.region} --preferred-value={need.accelerators + used.most}; "
        "or choose another region or accelerator."
    )
