"""Differences between a plan and the present serving: a comparison of two values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.prices import Replicas, hourly_price
from vertex_vllm.planning.plan import ServingPlan

_COMMIT = re.compile(r"/([0-9a-f]{40})/?$")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Serving:
    """Model, image, arguments and machines that one endpoint of a deployment serves with."""

    endpoint: str
    """Resource name."""
    stage: str
    """live, superseded, or empty: not promoted (yet)."""
    config_hash: str
    model_id: str
    image: str
    args: tuple[str, ...]
    """The container's, `--model` among them."""
    replicas: Replicas

    @property
    def weights(self) -> str:
        """gs:// prefix; empty where the arguments name none."""
        given = (text.partition("=")[2] for text in self.args if text.startswith("--model="))
        return next(given, "")

    @property
    def commit(self) -> str:
        """Of the weights, as their prefix says; empty where it says none."""
        found = _COMMIT.search(self.weights)
        return found[1] if found else ""


@dataclass(frozen=True)
class Change:
    """A property that the plan would change."""

    what: str
    now: str
    planned: str


def changes(serving: Serving, plan: ServingPlan, catalog: Catalog) -> tuple[Change, ...]:
    """The properties that differ; empty where the plan changes nothing."""
    return tuple(change for change in _compared(serving, plan, catalog) if change.now != change.planned)


def _compared(serving: Serving, plan: ServingPlan, catalog: Catalog) -> Iterator[Change]:
    now, planned = serving.replicas, planned_replicas(plan)
    yield Change("config", serving.config_hash, plan.config_hash)
    yield Change("region", now.region, planned.region)
    yield Change("model", serving.model_id, plan.model_id)
    # Facts from the catalogue name no commit: then the commits are not compared.
    if plan.commit:
        yield Change("commit", serving.commit or UNKNOWN, plan.commit)
    yield Change("machine", _machine(now), _machine(planned))
    yield Change("spot", _yes(now.spot), _yes(planned.spot))
    yield Change("replicas", _count(now), _count(planned))
    yield Change("image", serving.image, plan.image)
    served = tuple(text for text in serving.args if not text.startswith("--model="))
    gone = [text for text in served if text not in plan.args]
    added = [text for text in plan.args if text not in served]
    yield Change("arguments", " ".join(gone), " ".join(added))
    yield Change("USD/h", _price(now, catalog), _price(planned, catalog))


def planned_replicas(plan: ServingPlan) -> Replicas:
    """The machines that the plan rents."""
    return Replicas(
        plan.machine_type,
        plan.accelerator_type,
        plan.accelerator_count,
        plan.region,
        plan.spot,
        plan.min_replica_count,
        plan.max_replica_count,
    )


def _machine(replicas: Replicas) -> str:
    if not replicas.accelerator_count:
        return replicas.machine_type
    return f"{replicas.machine_type}, {replicas.accelerator_count} × {replicas.accelerator_type}"


def _count(replicas: Replicas) -> str:
    return str(replicas.least) if replicas.least == replicas.most else f"{replicas.least} to {replicas.most}"


def _price(replicas: Replicas, catalog: Catalog) -> str:
    return str(hourly_price(replicas, catalog) or UNKNOWN)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
