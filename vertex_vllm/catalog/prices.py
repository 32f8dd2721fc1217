"""Hourly cost of serving, as far as the catalogue has a dated price for it; nothing is estimated."""

from dataclasses import dataclass

from vertex_vllm.catalog.catalog import Catalog

PRICE_REGION = "us-central1"
"""The catalogue's prices are Compute Engine's in this region (machines.yaml); for another one there is none."""
HOURS_A_MONTH = 730
"""Hours that Google Cloud's price lists count for a month."""
BASIS = f"Compute Engine's list price in {PRICE_REGION}, without Vertex AI's management fee"


@dataclass(frozen=True)
class HourlyPrice:
    """US dollars an hour."""

    least: float
    """With the fewest replicas."""
    most: float
    """With the most replicas."""

    def __str__(self) -> str:
        return f"{self.least:.2f}" if self.least == self.most else f"{self.least:.2f} to {self.most:.2f}"


@dataclass(frozen=True)
class Replicas:
    """Machines that serve."""

    machine_type: str
    accelerator_type: str
    """Empty: none."""
    accelerator_count: int
    region: str
    spot: bool
    least: int
    most: int


def hourly_price(replicas: Replicas, catalog: Catalog) -> HourlyPrice | None:
    """None where the catalogue has no price for exactly this machine, with these accelerators, in this region."""
    machine = catalog.machines.get(replicas.machine_type)
    accelerators = (replicas.accelerator_type, replicas.accelerator_count)
    if machine is None or replicas.region != PRICE_REGION or accelerators != (machine.accelerator, machine.count):
        return None
    price = machine.price(replicas.spot)
    return None if price is None else HourlyPrice(price * replicas.least, price * replicas.most)
