"""Machine types of Vertex AI's prediction service, with their accelerators and the accelerators' quotas."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from localcloud.core.api_errors import ApiError

DEFAULT_MACHINE_TYPE = "n1-standard-2"  # `MachineSpec.machine_type`: the default for a DeployedModel.


@dataclass(frozen=True)
class Accelerator:
    """A kind of accelerator. `name` is from the `AcceleratorType` enum, except for TPUs that this enum lacks."""

    name: str
    quota: str
    regions: frozenset[str] | None
    """Regions that have the accelerator; None: not checked."""

    def quota_id(self, spot: bool) -> str:
        """Id in the Cloud Quotas API."""
        return f"CustomModelServing{'Preemptible' if spot else ''}{self.quota}PerProjectPerRegion"


@dataclass(frozen=True)
class MachineType:
    name: str
    choices: Mapping[str, tuple[int, ...]]
    """Accelerator name → the counts that can be requested."""
    included: Mapping[str, int]
    """Accelerator name → the count that is part of the machine."""
    regions: frozenset[str] | None = None
    """Regions that have the machine; None: the regions of its accelerator."""


@dataclass(frozen=True)
class AcceleratorNeed:
    """Accelerators of one replica."""

    accelerator: Accelerator
    count: int


@dataclass(frozen=True)
class MachineTable:
    regions: frozenset[str]
    accelerators: Mapping[str, Accelerator]
    machine_types: Mapping[str, MachineType]

    def check_region(self, region: str) -> None:
        if region not in self.regions:
            raise ApiError("INVALID_ARGUMENT", f"Location `{region}` is not a location of Vertex AI.")

    def accelerator_need(
        self, machine_type: str, accelerator_type: str, count: int, region: str
    ) -> AcceleratorNeed | None:
        """Accelerators of a replica on `machine_type`, None if it has none; `accelerator_type` may be empty.

        Raises ApiError INVALID_ARGUMENT for an unknown machine, an impossible pair, or a pair that `region` lacks.
        """
        machine = self.machine_types.get(machine_type)
        if machine is None:
            raise ApiError("INVALID_ARGUMENT", f'Machine type "{machine_type}" is not supported.')
        if not accelerator_type and not count:
            return self._included(machine)
        accelerator = self._chosen(machine, accelerator_type, count)
        regions = self.regions_of(machine, accelerator)
        if regions is not None and region not in regions:
            raise ApiError(
                "INVALID_ARGUMENT",
                f'Machine type "{machine_type}" with accelerator "{accelerator_type}" is not available in {region}. '
                f"It is in {', '.join(sorted(regions))}.",
            )
        return AcceleratorNeed(accelerator, count)

    def regions_of(self, machine: MachineType, accelerator: Accelerator) -> frozenset[str] | None:
        """Regions that have the machine with these accelerators; None: not checked."""
        return accelerator.regions if machine.regions is None else machine.regions

    def _included(self, machine: MachineType) -> AcceleratorNeed | None:
        for name, count in machine.included.items():
            return AcceleratorNeed(self.accelerators[name], count)
        if machine.choices and not machine.name.startswith("n1-"):
            raise ApiError(
                "INVALID_ARGUMENT",
                f'Machine type "{machine.name}" needs an accelerator: set accelerator_type and accelerator_count '
                f"({_choices(machine)}).",
            )
        return None

    def _chosen(self, machine: MachineType, accelerator_type: str, count: int) -> Accelerator:
        if not accelerator_type or count <= 0:
            raise ApiError("INVALID_ARGUMENT", "accelerator_type and a positive accelerator_count go together.")
        if machine.included.get(accelerator_type) == count:
            return self.accelerators[accelerator_type]
        if accelerator_type not in machine.choices:
            raise ApiError(
                "INVALID_ARGUMENT",
                f'Accelerator "{accelerator_type}" is not supported for machine type "{machine.name}" '
                f"({_choices(machine)}).",
            )
        if count not in machine.choices[accelerator_type]:
            raise ApiError(
                "INVALID_ARGUMENT",
                f'{count} accelerators of type "{accelerator_type}" are not supported for machine type '
                f'"{machine.name}" ({_choices(machine)}).',
            )
        return self.accelerators[accelerator_type]


@cache
def load_machines() -> MachineTable:
    table = yaml.safe_load(resources.files("localcloud.services.vertex").joinpath("machines.yaml").read_text())
    return MachineTable(
        regions=frozenset(table["regions"]["names"].split()),
        accelerators={name: _accelerator(name, row) for name, row in table["accelerators"].items()},
        machine_types={name: _machine(name, row) for row in table["machine_types"] for name in row["types"].split()},
    )


def _accelerator(name: str, row: Mapping[str, Any]) -> Accelerator:
    return Accelerator(name, row["quota"], _regions(row))


def _regions(row: Mapping[str, Any]) -> frozenset[str] | None:
    return frozenset(row["regions"].split()) if "regions" in row else None


def _machine(name: str, row: Mapping[str, Any]) -> MachineType:
    choices = {
        accelerator: tuple(range(1, counts + 1)) if isinstance(counts, int) else tuple(counts)
        for accelerator, counts in row.get("accelerators", {}).items()
    }
    return MachineType(name, choices, row.get("included", {}), _regions(row))


def _choices(machine: MachineType) -> str:
    if not machine.choices:
        return "it takes none"
    return "; ".join(f"{name}: {', '.join(map(str, counts))}" for name, counts in machine.choices.items())
