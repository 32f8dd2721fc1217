"""The sweep: deletes what expired, what a dead run left behind, and orphans, in a whole project.

A sweep finds resources by their labels and touches nothing without them. Each kind of resource is a `Part`.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.prices import HourlyPrice, hourly_price
from vertex_vllm.errors import RegionClosedError, TeardownError, VertexVllmError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.regional_hosts import in_parallel
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.labels import KEEP_LABEL, is_ours
from vertex_vllm.lifecycle.keep_or_remove import select
from vertex_vllm.lifecycle.mirror_garbage import find_garbage, remove_garbage
from vertex_vllm.lifecycle.sweep_rule import Due, Runs, joined, look_at_runs
from vertex_vllm.lifecycle.teardown import DEADLINE_SECONDS, remove_selected
from vertex_vllm.project_names import sources_bucket
from vertex_vllm.runs import schedule_calls
from vertex_vllm.runs.schedule_difference import PROJECT
from vertex_vllm.vertex_ai.clients import service_errors
from vertex_vllm.vertex_ai.deployed_models import inventory
from vertex_vllm.vertex_ai.operations import Deadline

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """The parameters of one sweep."""

    project: str
    region: str
    now: datetime
    deployments: frozenset[str]
    """Names of the deployments that have a config; empty: nothing is an orphan."""
    dry_run: bool
    deadline: Deadline
    runs: Runs
    """The runs of all regions that are swept."""


@dataclass(frozen=True)
class Finding:
    """A resource that is due for deletion."""

    name: str
    reason: str
    usd_per_hour: HourlyPrice | None
    """US dollars an hour that it costs; None: unknown."""
    still_there: str = ""
    """Why it could not be deleted; empty in a dry run, and if it is gone."""


Part = Callable[[Order], Iterator[Finding]]

FREE = HourlyPrice(0.0, 0.0)
UNUSED = timedelta(days=30)
"""Age from which unused weights are deleted: mirroring them again costs time, keeping them costs by the byte."""


@dataclass(frozen=True)
class SweepReport:
    dry_run: bool
    findings: tuple[Finding, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    """Region → why it could not be looked through, all of it or a part."""

    @property
    def remaining(self) -> dict[str, str]:
        """Resource → why it could not be deleted; region → why it could not be looked through."""
        return {each.name: each.still_there for each in self.findings if each.still_there} | dict(self.failures)

    def to_json(self) -> str:
        """JSON, in which each failure is one text, `REGION: reason`."""
        failures = [f"{region}: {reason}" for region, reason in self.failures.items()]
        return json.dumps({**asdict(self), "failures": failures}, indent=2) + "\n"

    def __str__(self) -> str:
        """A line per resource, then the savings per hour; ends without a newline."""
        done = "would remove" if self.dry_run else "removed"
        lines = [
            f"{'STILL THERE' if each.still_there else done}: {each.name} ({each.reason}; {_dollars(each.usd_per_hour)})"
            for each in self.findings
        ]
        return "\n".join([*lines, self._saved()]) if lines else "nothing found to remove"

    def _saved(self) -> str:
        gone = [each.usd_per_hour for each in self.findings if not each.still_there]
        known = [price for price in gone if price is not None]
        sum_of_known = HourlyPrice(sum(price.least for price in known), sum(price.most for price in known))
        unknown = f", and {len(gone) - len(known)} of unknown price" if len(known) < len(gone) else ""
        return f"{'Would save' if self.dry_run else 'Saves'} {sum_of_known} USD/h{unknown}"


def sweep(
    project: str,
    regions: Sequence[str],
    deployments: Sequence[str] = (),
    *,
    dry_run: bool = True,
    now: datetime | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    parts: Sequence[Part] | None = None,
) -> SweepReport:
    """Lists what is due in the regions and deletes it unless `dry_run`; a failure does not stop the rest.

    `deployments` are the names that have a config; with any given, orphans are due too. `now` decides what has expired.
    The failure of a region or a resource is in the report and not raised.
    """
    deadline = Deadline(deadline_seconds)
    runs, failures = _runs(project, regions)
    moment, named = now or datetime.now(UTC), frozenset(deployments)

    def order(region: str, deadline: Deadline, *, dry_run: bool) -> Order:
        return Order(project, region, moment, named, dry_run, deadline, runs)

    # List first: a region where nothing is due must not use the time of the others.
    due = {region: _carry_out(order(region, deadline, dry_run=True), parts or PARTS, failures) for region in regions}
    if not dry_run:
        waiting = [region for region in regions if due[region]]
        for done, region in enumerate(waiting):
            share = deadline.share(len(waiting) - done)
            due[region] = _carry_out(order(region, share, dry_run=False), parts or PARTS, failures)
    reasons = {region: "; ".join(dict.fromkeys(said)) for region, said in failures.items()}
    return SweepReport(dry_run, tuple(each for found in due.values() for each in found), reasons)


def _carry_out(order: Order, parts: Sequence[Part], failures: dict[str, list[str]]) -> list[Finding]:
    findings: list[Finding] = []
    if not order.deadline.left:
        failures.setdefault(order.region, []).append("not looked at, the time was over")
        return findings
    for part in parts:
        try:
            findings += part(order)
        except RegionClosedError as error:
            log.info("Nothing of the project can be in %s: %s", order.region, error)
        except VertexVllmError as error:
            failures.setdefault(order.region, []).append(str(error))
    return findings


def require_clean(report: SweepReport) -> None:
    """Raises TeardownError that names what the sweep could not delete."""
    if report.remaining:
        raise TeardownError(remaining=report.remaining, fix="Sweep again: it continues from here.")


def sweep_vertex(order: Order) -> Iterator[Finding]:
    """Sweeps endpoints with their deployed models, then model versions."""
    with service_errors(f"Sweeping {order.region}", TeardownError):
        prices = _prices(order.project, order.region)
        rule = Due(order.project, order.region, order.now, order.deployments, order.runs)
        due = select(rule).doomed
        still_there: Mapping[str, str] = {}
        if due and not order.dry_run:
            still_there = remove_selected(rule, order.deadline.left).remaining
    for name, reason in due.items():
        yield Finding(name, reason, prices.get(name, FREE), still_there.get(name, ""))


def sweep_schedules(order: Order) -> Iterator[Finding]:
    """Sweeps schedules of orphans: they would create again what the other parts delete."""
    if not order.deployments:
        return
    for schedule in schedule_calls.list_schedules(order.project, order.region):
        if schedule.deployment in order.deployments or schedule.deployment == PROJECT:
            continue
        if not order.dry_run:
            schedule_calls.delete(schedule.resource_name)
        yield Finding(schedule.resource_name, f"no config is named {schedule.deployment}", FREE)


def sweep_buckets(order: Order) -> Iterator[Finding]:
    """Sweeps mirrors older than UNUSED_WEIGHTS that no Model of any region uses, and abandoned uploads."""

    with google_errors("Cloud Storage", f"project {order.project}"):
        buckets = [
            bucket.name
            for bucket in storage_client(order.project).list_buckets(project=order.project)
            if is_ours(bucket.labels) and KEEP_LABEL not in bucket.labels
            if str(bucket.location).lower() == order.region
            # A bucket that no run may read: it holds no mirror.
            if bucket.name != sources_bucket(order.project, order.region)
        ]
    for name in buckets:
        regions = load_catalog().regions
        garbage = find_garbage(order.project, name, regions, UNUSED)
        if not order.dry_run:
            garbage = remove_garbage(order.project, name, garbage, regions)
        for each in garbage:
            yield Finding(each.uri, f"{each.reason}, since {each.since:%Y-%m-%d}", None)


PARTS: tuple[Part, ...] = (sweep_schedules, sweep_vertex, sweep_buckets)
"""Schedules come first: one that fires during the sweep would start a run. Weights follow the Models that use them."""


def _runs(project: str, regions: Sequence[str]) -> tuple[Runs, dict[str, list[str]]]:
    """The runs of all regions, and the regions that could not be listed: then no run counts as dead, in any region."""

    def look(region: str) -> Runs | str:
        try:
            return look_at_runs(project, region)
        except RegionClosedError:  # No run of the project can be there.
            return Runs({})
        except VertexVllmError as error:
            return str(error)

    looks = in_parallel(look, regions)
    failures = {region: [look] for region, look in zip(regions, looks, strict=True) if isinstance(look, str)}
    known = [look for look in looks if isinstance(look, Runs)]
    # If a region cannot be listed, a run still active there may use what a dead run left elsewhere.
    return Runs({}) if failures else joined(known), failures


def _prices(project: str, region: str) -> dict[str, HourlyPrice | None]:
    """Endpoint → US dollars an hour of its deployed models; None if the price of any is unknown."""
    catalog = load_catalog()
    prices: dict[str, HourlyPrice | None] = {}
    for row in inventory(project, region):
        price = hourly_price(row.replicas, catalog) if row.replicas else FREE
        so_far = prices.get(row.endpoint, FREE)
        known = price is not None and so_far is not None
        prices[row.endpoint] = (
            HourlyPrice(so_far.least + price.least, so_far.most + price.most) if known and so_far and price else None
        )
    return prices


def _dollars(price: HourlyPrice | None) -> str:
    return "price unknown" if price is None else f"{price} USD/h"
