"""Refusals that are stockouts, and the places that they rule out; other refusals are not stockouts."""

from typing import Any

import pytest

from tests.vertex_vllm.served_models import serving_plan
from vertex_vllm.error_data import Attempt, Refusal, Stockout
from vertex_vllm.serving.stockouts import is_blocked, stockout_of

QUOTA = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_serving_nvidia_l4_gpus"
QUOTAS = "The following quotas are exceeded: CustomModelServingL4GPUsPerProjectPerRegion"
REGION = "Resources are insufficient in region: us-central1. Please try a different region or accelerator."
MACHINE = "Machine type temporarily unavailable, please deploy with a different machine type or retry."
ZONE = "The zone 'projects/p/zones/us-central1-a' does not have enough resources available to fulfill the request."


@pytest.mark.parametrize(
    ("refusal", "domain", "blocks"),
    [
        (Refusal("RESOURCE_EXHAUSTED", QUOTA), "quota", "region"),
        (Refusal("RESOURCE_EXHAUSTED", QUOTAS), "quota", "region"),
        (Refusal("FAILED_PRECONDITION", QUOTAS), "quota", "region"),
        (Refusal("INTERNAL", REGION), "capacity", "region"),
        (Refusal("UNAVAILABLE", ZONE), "capacity", "zone"),
        (Refusal("UNAVAILABLE", MACHINE), "capacity", "zone"),
        (Refusal("FAILED_PRECONDITION", "ZONE_RESOURCE_POOL_EXHAUSTED"), "capacity", "zone"),
        (
            Refusal("RESOURCE_EXHAUSTED", "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally."),
            "quota",
            "everywhere",
        ),
        (Refusal("RESOURCE_EXHAUSTED", "something nobody has seen"), "capacity", "region"),
    ],
)
def test_a_refusal_for_want_of_machines_has_one_form(refusal: Refusal, domain: str, blocks: Any) -> None:
    assert stockout_of(refusal) == Stockout(refusal.code, domain, refusal.message, blocks)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("FAILED_PRECONDITION", "Model server exited unexpectedly. Please use recommended machine spec."),
        Refusal("PERMISSION_DENIED", "Permission 'aiplatform.endpoints.deploy' denied"),
        Refusal("INVALID_ARGUMENT", "Accelerator NVIDIA_TESLA_K80 is not supported for machine type n1-standard-4"),
        Refusal(
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'Resource management requests' and limit 'per minute'",
        ),
        Refusal(""),
    ],
)
def test_any_other_refusal_is_none(refusal: Refusal) -> None:
    assert stockout_of(refusal) is None


@pytest.mark.parametrize(
    ("blocks", "region", "accelerator", "blocked"),
    [
        ("region", "us-central1", "NVIDIA_L4", True),
        ("region", "us-central1", "NVIDIA_TESLA_A100", False),
        ("region", "us-east4", "NVIDIA_L4", False),
        ("zone", "us-central1", "NVIDIA_L4", False),
        ("everywhere", "us-east4", "NVIDIA_L4", True),
        ("everywhere", "us-east4", "NVIDIA_TESLA_A100", False),
    ],
)
def test_a_stockout_rules_out_the_same_accelerators_as_far_as_it_reaches(
    blocks: str, region: str, accelerator: str, blocked: bool
) -> None:
    said = {"region": REGION, "zone": ZONE}.get(blocks, "exceeded globally")
    stockout = stockout_of(Refusal("RESOURCE_EXHAUSTED", said))
    assert stockout is not None
    refused = Attempt("us-central1", "g2-standard-12", "NVIDIA_L4", stockout)
    assert is_blocked(serving_plan(region=region, accelerator_type=accelerator), [refused]) == blocked
