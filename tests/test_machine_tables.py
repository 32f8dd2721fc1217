"""The tables of the catalogue and of the local cloud have the same machines, regions and quotas."""

from localcloud.services.cloud_quotas.quotas import catalogue
from localcloud.services.vertex.machines import MachineType, load_machines
from vertex_vllm.catalog import load_catalog

CATALOG, TABLE = load_catalog(), load_machines()
# Machine → why the catalogue does not plan for it although Vertex AI rents it.
NOT_PLANNED = {
    "a2-megagpu-16g": "16 accelerators: the catalogue goes up to eight",
    "a3-edgegpu-8g": "no source with its regions was read",
    "a4x-highgpu-4g": "its CPUs are Arm; planning chooses among images for x86-64",
}
# Accelerator → why the catalogue has none of its machines.
NOT_COMPUTED_ON = {
    "NVIDIA_TESLA_P100": "compute capability 6.0, below the 7.5 of the catalogue's oldest accelerator",
    "NVIDIA_TESLA_V100": "compute capability 7.0, below the 7.5 of the catalogue's oldest accelerator",
    "NVIDIA_GB200": NOT_PLANNED["a4x-highgpu-4g"],
}


def regions_of(machine: MachineType, accelerator: str) -> frozenset[str] | None:
    return TABLE.regions_of(machine, TABLE.accelerators[accelerator])


def test_the_local_cloud_rents_every_machine_of_the_catalogue_where_the_catalogue_has_it() -> None:
    planned = {name: (row.accelerator, row.count, frozenset(row.regions)) for name, row in CATALOG.machines.items()}
    rented = {
        name: (
            accelerator,
            count if count in TABLE.machine_types[name].choices[accelerator] else None,
            regions_of(TABLE.machine_types[name], accelerator),
        )
        for name, (accelerator, count, _) in planned.items()
    }
    assert rented == planned


def test_the_catalogue_has_every_machine_with_accelerators_that_the_local_cloud_rents() -> None:
    rented = {
        name
        for name, machine in TABLE.machine_types.items()
        if set(machine.choices) - set(NOT_COMPUTED_ON) and not name.startswith("n1-")  # it plans for one of the N1s
    }
    assert rented - set(CATALOG.machines) - set(NOT_PLANNED) == set()
    assert set(NOT_PLANNED) <= set(TABLE.machine_types)
    tpus = {name for name, machine in TABLE.machine_types.items() if machine.included}
    assert tpus == {row.tpu for row in CATALOG.tpus.values()}


def test_accelerators_count_against_the_same_quotas() -> None:
    ids = {name: row.quota_id(preemptible=False) for name, row in CATALOG.accelerators.items()}
    rented = {name: row.quota_id(spot=False) for name, row in TABLE.accelerators.items()}
    assert {name: rented[name] for name in ids} == ids
    tpus = {name for name in rented if name.startswith("TPU_")}
    assert set(rented) - set(ids) - tpus == set(NOT_COMPUTED_ON)
    assert {TABLE.accelerators[name].quota for name in tpus} == {row.quota for row in CATALOG.tpus.values()}


def test_the_project_has_a_quota_for_every_accelerator_in_every_region() -> None:
    quotas = catalogue()
    for row in CATALOG.accelerators.values():
        assert {row.quota_id(preemptible=False), row.quota_id(preemptible=True)} <= set(quotas.quotas)
    assert set(quotas.locations) == TABLE.regions
    assert {region for row in CATALOG.machines.values() for region in row.regions} <= TABLE.regions
