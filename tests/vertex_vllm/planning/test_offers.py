"""Every machine of the region as an offer, in order, each with why it is not the first choice."""

from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, LLAMA_405B, LLAMA_VISION, deployment, plan
from vertex_vllm.catalog import load_catalog
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.headroom import Headroom
from vertex_vllm.planning.offers import Offer
from vertex_vllm.planning.planner import plan_serving

L4, A100 = (f"CustomModelServing{name}GPUsPerProjectPerRegion" for name in ("L4", "A100"))


def offers(**parameters: Any) -> dict[str, Offer]:
    return {offer.machine_type: offer for offer in plan(LLAMA_8B, **parameters).alternatives}


def test_all_machines_of_the_region_but_the_one_taken_are_offered_the_best_first() -> None:
    decided = plan(LLAMA_8B)
    names = [offer.machine_type for offer in decided.alternatives]
    in_region = {machine.machine for machine in load_catalog().machines_in("us-central1")}
    assert {*names, decided.machine_type} == in_region
    assert names[:3] == ["g2-standard-16", "g2-standard-32", "g2-standard-24"]
    # Without a known price by accelerators and their memory, after all that have one.
    assert [name for name in names if decided.alternatives[names.index(name)].verdict == "fits"][-3:] == [
        "a3-megagpu-8g",
        "a3-ultragpu-8g",
        "a4-highgpu-8g",
    ]


@pytest.mark.parametrize(
    ("machine", "offer"),
    [
        (
            "g2-standard-16",
            Offer("g2-standard-16", "NVIDIA_L4", 1, 1.1472, "fits", 4, "costs more", max_model_len=5632),
        ),
        (
            "g2-standard-4",
            Offer(
                "g2-standard-4",
                "NVIDIA_L4",
                1,
                0.7068,
                "uncertain",
                4,
                "its 16 GiB of host memory are fewer than 39: weights, 16 of shared memory and 8 for processes",
                max_model_len=5632,
            ),
        ),
        (
            "a4-highgpu-8g",
            Offer(
                "a4-highgpu-8g", "NVIDIA_B200", 8, None, "fits", 78, "what it costs is not known", False, None, 131072
            ),
        ),
        (
            "n1-standard-8",
            Offer(
                "n1-standard-8",
                "NVIDIA_TESLA_T4",
                1,
                None,
                "does not fit",
                None,
                "at best 2.6 GiB too little before any cache (weights 15.0, activation 1.0, non-torch 0.2 GiB)",
            ),
        ),
    ],
)
def test_an_offer_says_what_it_costs_and_why_it_is_not_taken(machine: str, offer: Offer) -> None:
    assert offers()[machine] == offer


def test_the_tutorials_machine_is_marked_where_a_cheaper_one_is_taken() -> None:
    marked = [offer for offer in plan(LLAMA_VISION).alternatives if offer.tutorial]
    assert marked == [
        Offer("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1, 3.6734, "fits", 6, "costs more", True, max_model_len=4096)
    ]


def test_a_spot_price_is_told_where_spot_is_asked_for() -> None:
    assert offers(spot=True)["g2-standard-16"].usd_per_hour == 0.6449


def test_a_machine_with_room_for_more_requests_is_taken_where_more_are_asked_for() -> None:
    few, many = plan(LLAMA_8B, concurrency=5), plan(LLAMA_8B, concurrency=6)
    assert (few.machine_type, few.requests) == ("g2-standard-12", 5)
    assert (many.machine_type, many.max_model_len, many.requests) == ("g2-standard-24", 131072, 1)
    assert many.concurrency == 6
    crowded = next(offer for offer in many.alternatives if offer.machine_type == "g2-standard-12")
    assert crowded.why_not == "its cache has room for 5 of 6 requests of 4096 tokens at once"


def test_no_more_requests_are_asked_for_than_vllm_works_on_at_once() -> None:
    assert plan(LLAMA_8B, concurrency=64, max_num_seqs=2).concurrency == 2


def test_where_no_machine_has_room_the_cheapest_that_serves_is_taken_and_the_plan_says_so() -> None:
    decided = plan(LLAMA_8B, accelerator_type="NVIDIA_L4", accelerator_count=1, concurrency=100)
    assert decided.machine_type == "g2-standard-12"
    assert "though its cache has room for 5 of 100 requests of 4096 tokens at once" in decided.reasons["machine_type"]


def test_a_machine_that_the_quota_leaves_no_room_for_is_not_taken() -> None:
    quotas = {(L4, "us-central1"): Headroom(8, 8), (A100, "us-central1"): Headroom(4, 1)}
    decided = plan_serving(LLAMA_8B, deployment(LLAMA_8B), load_catalog(), quotas)
    assert decided.machine_type == "a2-highgpu-1g"
    found = next(offer for offer in decided.alternatives if offer.machine_type == "g2-standard-12")
    assert found.why_not == "quota: 8 less 8 in use NVIDIA_L4 in us-central1, where 1 are needed"
    large = next(offer for offer in decided.alternatives if offer.machine_type == "a2-highgpu-4g")
    assert large.why_not == "quota: 4 less 1 in use NVIDIA_TESLA_A100 in us-central1, where 4 are needed"


@pytest.mark.parametrize(
    ("headroom", "left", "told"),
    [
        (Headroom(-1, 12), None, "unlimited"),
        (Headroom(8, 3), 5, "8 less 3 in use"),
        (Headroom(8, None), 8, "8, use not known"),
        (Headroom(2, 3), 0, "2 less 3 in use"),
    ],
)
def test_headroom_is_the_limit_less_what_is_in_use(headroom: Headroom, left: int | None, told: str) -> None:
    assert (headroom.left, str(headroom)) == (left, told)


def test_a_named_machine_is_taken_and_the_others_are_compared_with_it() -> None:
    decided = plan(LLAMA_8B, machine_type="a2-highgpu-1g")
    assert decided.machine_type == "a2-highgpu-1g"
    cheaper = next(offer for offer in decided.alternatives if offer.machine_type == "g2-standard-12")
    assert cheaper == Offer(
        "g2-standard-12", "NVIDIA_L4", 1, 1.0004, "fits", 4, "another one is named in the deployment", True, None, 5632
    )


def test_fallbacks_are_plans_of_their_own() -> None:
    decided = plan(LLAMA_8B, fallbacks=["us-central1/g2-standard-24", "us-east4/g2-standard-12"])
    assert [(other.region, other.machine_type, other.quota.region) for other in decided.fallbacks] == [
        ("us-central1", "g2-standard-24", "us-central1"),
        ("us-east4", "g2-standard-12", "us-east4"),
    ]
    assert "--tensor-parallel-size=2" in decided.fallbacks[0].args
    assert {other.config_hash for other in decided.fallbacks} == {decided.config_hash}
    assert len({decided.served_id, *(other.served_id for other in decided.fallbacks)}) == 3


@pytest.mark.parametrize(
    ("fallbacks", "message"),
    [
        (
            ["us-central1/n1-standard-8"],
            "serving.fallbacks.0: us-central1/n1-standard-8: n1-standard-8 cannot serve meta-llama/Llama-3.1-8B: "
            "at best 2.6 GiB too little before any cache (weights 15.0, activation 1.0, non-torch 0.2 GiB). Take "
            "g2-standard-12, the cheapest that fits, as Google's tutorial does, or leave this out",
        ),
        (
            ["us-east4/g2-standard-12", "us-east4/g2-standard-12"],
            "serving.fallbacks.1: g2-standard-12 in us-east4 is tried before. Leave it out",
        ),
        (
            ["us-central1/g2-standard-12"],
            "serving.fallbacks.0: g2-standard-12 in us-central1 is tried before. Leave it out",
        ),
    ],
)
def test_a_fallback_that_cannot_serve_is_refused_before_anything_is_created(fallbacks: list[str], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(LLAMA_8B, fallbacks=fallbacks)
    assert str(caught.value) == message


def test_a_crowded_machine_whose_cost_is_known_is_taken_before_a_roomy_one_whose_cost_is_not() -> None:
    decided = plan(LLAMA_405B, concurrency=100)
    assert (decided.machine_type, decided.usd_per_hour) == ("g4-standard-384", 35.9994)
    roomy = next(offer for offer in decided.alternatives if offer.machine_type == "a3-ultragpu-8g")
    assert (roomy.requests, roomy.why_not) == (4, "what it costs is not known")
