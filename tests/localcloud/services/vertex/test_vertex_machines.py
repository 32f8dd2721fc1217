import pytest

from localcloud.core.api_errors import ApiError
from localcloud.services.cloud_quotas.quotas import catalogue
from localcloud.services.vertex.machines import load_machines

# The tutorial's machines, and one machine of each way to request accelerators.
NEEDS = [
    ("g2-standard-12", "NVIDIA_L4", 1, "us-central1", ("NVIDIA_L4", 1)),
    ("g2-standard-96", "NVIDIA_L4", 8, "europe-west4", ("NVIDIA_L4", 8)),
    ("a3-highgpu-8g", "NVIDIA_H100_80GB", 8, "asia-southeast1", ("NVIDIA_H100_80GB", 8)),
    ("a3-highgpu-8g", "NVIDIA_H100_80GB", 2, "us-west1", ("NVIDIA_H100_80GB", 2)),
    ("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1, "us-central1", ("NVIDIA_TESLA_A100", 1)),
    ("a2-ultragpu-1g", "NVIDIA_A100_80GB", 1, "us-east4", ("NVIDIA_A100_80GB", 1)),
    ("g4-standard-48", "NVIDIA_RTX_PRO_6000", 1, "us-west1", ("NVIDIA_RTX_PRO_6000", 1)),
    ("n1-standard-16", "NVIDIA_TESLA_V100", 2, "us-central1", ("NVIDIA_TESLA_V100", 2)),
    ("ct5lp-hightpu-4t", "", 0, "us-west1", ("TPU_V5_LITEPOD", 4)),
    ("ct5lp-hightpu-4t", "TPU_V5_LITEPOD", 4, "us-west1", ("TPU_V5_LITEPOD", 4)),
    ("n1-standard-2", "", 0, "us-central1", None),
    ("e2-standard-8", "", 0, "me-west1", None),
]

REFUSALS = [
    ("g2-standard-13", "NVIDIA_L4", 1, "us-central1", 'Machine type "g2-standard-13" is not supported.'),
    (
        "g2-standard-12",
        "NVIDIA_H100_80GB",
        1,
        "us-central1",
        'Accelerator "NVIDIA_H100_80GB" is not supported for machine type "g2-standard-12" (NVIDIA_L4: 1).',
    ),
    (
        "g2-standard-24",
        "NVIDIA_L4",
        4,
        "us-central1",
        '4 accelerators of type "NVIDIA_L4" are not supported for machine type "g2-standard-24" (NVIDIA_L4: 1, 2).',
    ),
    (
        "e2-standard-8",
        "NVIDIA_TESLA_T4",
        1,
        "us-central1",
        'Accelerator "NVIDIA_TESLA_T4" is not supported for machine type "e2-standard-8" (it takes none).',
    ),
    (
        "g2-standard-8",
        "",
        0,
        "us-central1",
        'Machine type "g2-standard-8" needs an accelerator: set accelerator_type and accelerator_count (NVIDIA_L4: 1).',
    ),
    (
        "a2-ultragpu-1g",
        "NVIDIA_A100_80GB",
        1,
        "us-west1",
        'Machine type "a2-ultragpu-1g" with accelerator "NVIDIA_A100_80GB" is not available in us-west1. '
        "It is in asia-southeast1, europe-west4, us-central1, us-east4, us-east5.",
    ),
    ("g2-standard-8", "NVIDIA_L4", 0, "us-central1", "accelerator_type and a positive accelerator_count go together."),
    ("g2-standard-8", "NVIDIA_L4", -1, "us-central1", "accelerator_type and a positive accelerator_count go together."),
    ("g2-standard-8", "", 1, "us-central1", "accelerator_type and a positive accelerator_count go together."),
]


@pytest.mark.parametrize(("machine_type", "accelerator_type", "count", "region", "expected"), NEEDS)
def test_what_a_replica_holds(
    machine_type: str, accelerator_type: str, count: int, region: str, expected: tuple[str, int] | None
) -> None:
    need = load_machines().accelerator_need(machine_type, accelerator_type, count, region)
    assert (need and (need.accelerator.name, need.count)) == expected


@pytest.mark.parametrize(("machine_type", "accelerator_type", "count", "region", "message"), REFUSALS)
def test_what_vertex_does_not_rent(
    machine_type: str, accelerator_type: str, count: int, region: str, message: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        load_machines().accelerator_need(machine_type, accelerator_type, count, region)
    assert (refusal.value.code, refusal.value.message) == ("INVALID_ARGUMENT", message)


def test_names_of_quotas() -> None:
    accelerator = load_machines().accelerators["NVIDIA_L4"]
    assert [accelerator.quota_id(spot) for spot in (False, True)] == [
        "CustomModelServingL4GPUsPerProjectPerRegion",
        "CustomModelServingPreemptibleL4GPUsPerProjectPerRegion",
    ]


def test_the_table_refers_to_what_it_has() -> None:
    table = load_machines()
    for machine in table.machine_types.values():
        assert {*machine.choices, *machine.included} <= table.accelerators.keys()
    for accelerator in table.accelerators.values():
        assert (accelerator.regions or frozenset()) <= table.regions
        assert {accelerator.quota_id(False), accelerator.quota_id(True)} <= catalogue().quotas.keys()
