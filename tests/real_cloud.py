"""The switch from the local cloud to a real project, and the check of the budget before any test starts.

The tests have not run on a real project yet (docs/test-cloud.md).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.prices import BASIS, PRICE_REGION, Replicas, hourly_price

# Serves a model of 135 million parameters with room to spare.
MACHINE_TYPE, ACCELERATOR_TYPE, ACCELERATOR_COUNT = "g2-standard-8", "NVIDIA_L4", 1
PARITY = ("checked on the cloud", "not yet", "local cloud only")


@dataclass(frozen=True)
class RealProject:
    id: str
    region: str
    budget_usd: float | None
    """Most that a run of the tests may cost, in US dollars; None: not given."""


class RefusedError(Exception):
    """The tests may not be started on this project; the message says why."""


def chosen(environment: Mapping[str, str] = os.environ) -> RealProject | None:
    """The project that `make test-cloud` names; None for the local cloud."""
    project = environment.get("VERTEX_VLLM_TEST_PROJECT", "")
    budget = environment.get("VERTEX_VLLM_TEST_BUDGET_USD", "")
    region = environment.get("VERTEX_VLLM_TEST_REGION", "") or PRICE_REGION
    return RealProject(project, region, _number(budget)) if project else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


REAL = chosen()


def ceiling_usd(hours: float, region: str) -> float:
    """Highest price of `hours` of one serving machine, in US dollars. Raises RefusedError if the price is unknown."""
    replicas = Replicas(MACHINE_TYPE, ACCELERATOR_TYPE, ACCELERATOR_COUNT, region, spot=False, least=1, most=1)
    price = hourly_price(replicas, load_catalog())
    if price is None:
        raise RefusedError(f"No price of {MACHINE_TYPE} in {region} is known; in {PRICE_REGION} one is.")
    return price.most * hours


def check_budget(project: RealProject, hours: float) -> str:
    """The highest cost of the tests, in words. Raises RefusedError without a budget, or if the budget is lower."""
    if project.budget_usd is None:
        raise RefusedError("These tests rent machines. Say what they may cost: make test-cloud PROJECT=… BUDGET_USD=5")
    ceiling = ceiling_usd(hours, project.region)
    told = f"at most {ceiling:.2f} USD: {hours:.2f} h of {MACHINE_TYPE} ({BASIS})"
    if not ceiling <= project.budget_usd:
        raise RefusedError(f"These tests cost {told}; the budget is {project.budget_usd:.2f} USD.")
    return told
