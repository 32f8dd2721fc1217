"""Checks a deployment's machines, regions and images against the catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass

from vertex_vllm.catalog import Catalog, Missing
from vertex_vllm.config.deployment import Deployment, Serving


@dataclass(frozen=True)
class Fault:
    """A value that a deployment may not have."""

    path: tuple[str | int, ...]
    """Keys from the deployment's root, for example ("serving", "machine_type")."""
    message: str
    """One sentence, and what to do about it."""
    unknown: bool = False
    """The config has a field that no deployment has."""


def check_against_catalog(deployment: Deployment, catalog: Catalog) -> tuple[Fault, ...]:
    """All faults: an unknown machine, a region without it, accelerators not its own, a model in the wrong case."""
    return (
        *_model_faults(deployment, catalog),
        *_machine_faults(deployment, catalog),
        *_fallback_faults(deployment.serving, catalog),
    )


def _model_faults(deployment: Deployment, catalog: Catalog) -> Iterator[Fault]:
    model_id = deployment.model.id
    found = catalog.find_model(model_id)
    if isinstance(found, Missing) and any(near.lower() == model_id.lower() for near in found.near):
        yield Fault(("model", "id"), f"{model_id} is written {found.near[0]} on the Hub")


def _machine_faults(deployment: Deployment, catalog: Catalog) -> Iterator[Fault]:
    serving, region = deployment.serving, deployment.google_cloud.region
    if serving.accelerator_type:
        accelerator = catalog.find_accelerator(serving.accelerator_type)
        if isinstance(accelerator, Missing):
            known = accelerator.hint or f"Known: {', '.join(catalog.accelerators)}"
            yield Fault(
                ("serving", "accelerator_type"), f"{accelerator.name} is not in the catalogue of accelerators. {known}"
            )
    if not serving.machine_type:
        yield from _region_faults(region, serving, catalog)
        return
    machine = catalog.find_machine(serving.machine_type)
    if isinstance(machine, Missing):
        yield Fault(("serving", "machine_type"), _unknown_machine(machine, catalog))
        yield from _region_faults(region, serving, catalog)
        return
    if region not in machine.regions:
        where = ", ".join(machine.regions)
        yield Fault(("google_cloud", "region"), f"no {machine.machine} in {region}. It is in: {where}")
    if serving.accelerator_type in catalog.accelerators and serving.accelerator_type != machine.accelerator:
        yield Fault(
            ("serving", "accelerator_type"),
            f"{machine.machine} has {machine.accelerator}, not {serving.accelerator_type}. Leave this line out",
        )
    if serving.accelerator_count not in (0, machine.count):
        yield Fault(
            ("serving", "accelerator_count"),
            f"{machine.machine} has {machine.count}, not {serving.accelerator_count}. Leave this line out",
        )


def _unknown_machine(machine: Missing, catalog: Catalog) -> str:
    if machine.name in catalog.tpus:
        return f"{machine.name} has TPUs, which nothing here plans or deploys to. Choose a machine with GPUs"
    return (
        f"{machine.name} is not in the catalogue of machines. {machine.hint or 'Known: ' + ', '.join(catalog.machines)}"
    )


def _fallback_faults(serving: Serving, catalog: Catalog) -> Iterator[Fault]:
    for number, named in enumerate(serving.fallbacks):
        region, _, name = named.partition("/")
        machine = catalog.find_machine(name)
        if isinstance(machine, Missing):
            yield Fault(("serving", "fallbacks", number), _unknown_machine(machine, catalog))
        elif region not in machine.regions:
            where = ", ".join(machine.regions)
            yield Fault(("serving", "fallbacks", number), f"no {name} in {region}. It is in: {where}")


def _region_faults(region: str, serving: Serving, catalog: Catalog) -> Iterator[Fault]:
    """Without a machine named, some machine of the region must still be possible."""
    in_region = catalog.machines_in(region)
    if not in_region:
        yield Fault(
            ("google_cloud", "region"), f"no machine with accelerators in {region}. Known: {', '.join(catalog.regions)}"
        )
        return
    wanted = serving.accelerator_type
    if wanted in catalog.accelerators and all(machine.accelerator != wanted for machine in in_region):
        regions = sorted(
            {name for machine in catalog.machines.values() if machine.accelerator == wanted for name in machine.regions}
        )
        yield Fault(("google_cloud", "region"), f"no {wanted} in {region}. It is in: {', '.join(regions)}")
