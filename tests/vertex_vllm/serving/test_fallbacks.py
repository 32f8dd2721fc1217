"""Out of stock: the next place is tried, here or in another region, and no resource stays without a machine."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.served_models import REGION, WEIGHTS, MakePlan, Vertex
from vertex_vllm.error_data import Attempt
from vertex_vllm.errors import DeploymentError, StockoutError
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.planning.headroom import Headroom
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.serving.fallbacks import Deployed, attempts_json, deploy_with_fallbacks
from vertex_vllm.serving.quota_check import read_quotas
from vertex_vllm.vertex_ai.clients import endpoint_client
from vertex_vllm.vertex_ai.resource_names import ResourceName

ELSEWHERE = "us-east4"
L4 = "CustomModelServingL4GPUsPerProjectPerRegion"
A100 = "CustomModelServingA100GPUsPerProjectPerRegion"


@pytest.fixture
def on_l4(make_plan: MakePlan) -> ServingPlan:
    return make_plan(machine_type="g2-standard-12", accelerator_type="NVIDIA_L4", accelerator_count=1)


def on_a100(plan: ServingPlan) -> ServingPlan:
    return replace(plan, machine_type="a2-highgpu-1g", accelerator_type="NVIDIA_TESLA_A100")


def limit(local: LocalCloud, project: str, quota_id: str, region: str, count: int) -> None:
    local.put("quotas", project=project, quota_id=quota_id, region=region, limit=count)


def deploy(in_vertex: Vertex, plan: ServingPlan, run: str = "run-1", **options: Any) -> Deployed:
    owner = Owner(plan.deployment, run, plan.config_hash)
    model = in_vertex.upload(plan, run)
    return deploy_with_fallbacks(in_vertex.project, plan, model, WEIGHTS, owner, "", 60, **options)


def undeploy_elsewhere(in_vertex: Vertex, plan: ServingPlan) -> None:
    teardown(in_vertex.project, REGION, plan.deployment, also_in=(ELSEWHERE,))


def test_in_stock_the_first_place_is_taken(in_vertex: Vertex, on_l4: ServingPlan) -> None:
    plan = replace(on_l4, fallbacks=(on_a100(on_l4),))
    deployed = deploy(in_vertex, plan)
    assert (deployed.plan, deployed.attempts) == (plan, ())
    assert len(in_vertex.endpoints()) == 1


def test_out_of_stock_the_next_machine_is_taken_and_no_empty_endpoint_stays(
    local: LocalCloud, in_vertex: Vertex, on_l4: ServingPlan
) -> None:
    limit(local, in_vertex.project, L4, REGION, 0)
    plan = replace(on_l4, fallbacks=(replace(on_l4, machine_type="g2-standard-16"), on_a100(on_l4)))
    told: list[tuple[Attempt, ...]] = []
    deployed = deploy(in_vertex, plan, on_attempt=told.append)
    # The L4 of another machine is the same L4, and is not tried.
    assert deployed.plan == plan.fallbacks[1]
    (attempt,) = deployed.attempts
    assert (attempt.region, attempt.machine_type) == (REGION, "g2-standard-12")
    stockout = attempt.stockout
    assert (stockout.code, stockout.domain, stockout.blocks) == ("RESOURCE_EXHAUSTED", "quota", "region")
    assert told == [deployed.attempts]
    assert json.loads(attempts_json(deployed.attempts))[0]["stockout"]["domain"] == "quota"
    (endpoint,) = in_vertex.endpoints()
    assert endpoint.name == deployed.endpoint
    (served,) = endpoint.deployed_models
    assert served.dedicated_resources.machine_spec.machine_type == "a2-highgpu-1g"
    assert ResourceName.parse(deployed.model, "models").version == served.model_version_id
    assert dict(endpoint.labels) == Owner(plan.deployment, "run-1", deployed.plan.config_hash).labels


def test_a_second_run_finds_the_fallback_that_serves(local: LocalCloud, in_vertex: Vertex, on_l4: ServingPlan) -> None:
    limit(local, in_vertex.project, L4, REGION, 0)
    plan = replace(on_l4, fallbacks=(on_a100(on_l4),))
    first = deploy(in_vertex, plan)
    limit(local, in_vertex.project, L4, REGION, 8)
    assert deploy(in_vertex, plan, run="run-2") == replace(first, attempts=())
    assert len(in_vertex.endpoints()) == 1


def test_another_region_gets_a_model_and_an_endpoint_of_its_own_and_is_promoted_and_torn_down(
    local: LocalCloud, in_vertex: Vertex, on_l4: ServingPlan
) -> None:
    before = in_vertex.deploy(replace(on_l4, max_model_len=512))
    limit(local, in_vertex.project, L4, REGION, 1)
    plan = replace(on_l4, fallbacks=(replace(on_l4, region=ELSEWHERE),))
    try:
        deployed = deploy(in_vertex, plan)
        endpoint, model = (
            ResourceName.parse(name, kind)
            for name, kind in ((deployed.endpoint, "endpoints"), (deployed.model, "models"))
        )
        assert (endpoint.region, model.region) == (ELSEWHERE, ELSEWHERE)
        owner = Owner(plan.deployment, "run-1")
        superseded = promote_endpoint(
            in_vertex.project, REGION, deployed.endpoint, deployed.model, owner, also_in=(ELSEWHERE,)
        )
        assert superseded == (before,)
        found = endpoint_client(ELSEWHERE).get_endpoint(name=deployed.endpoint)
        assert found.labels["vertex-vllm-stage"] == "live"
    finally:
        undeploy_elsewhere(in_vertex, plan)
    parent = f"projects/{in_vertex.project}/locations/{ELSEWHERE}"
    assert list(endpoint_client(ELSEWHERE).list_endpoints(parent=parent)) == []
    assert in_vertex.endpoints() == []


def test_out_of_stock_everywhere_the_history_is_on_the_error(
    local: LocalCloud, in_vertex: Vertex, on_l4: ServingPlan
) -> None:
    for quota in (L4, A100):
        limit(local, in_vertex.project, quota, REGION, 0)
    plan = replace(on_l4, fallbacks=(on_a100(on_l4),))
    with pytest.raises(StockoutError) as caught:
        deploy(in_vertex, plan)
    assert [attempt.machine_type for attempt in caught.value.attempts] == ["g2-standard-12", "a2-highgpu-1g"]
    refused = "the project's quota does not allow it: g2-standard-12 in us-central1: quota, RESOURCE_EXHAUSTED: "
    assert str(caught.value).startswith(f"{plan.deployment}: {refused}")
    assert "iam-admin/quotas?project=" in str(caught.value)
    assert in_vertex.endpoints() == []


def test_a_model_that_does_not_come_up_is_no_reason_to_rent_elsewhere(in_vertex: Vertex, on_l4: ServingPlan) -> None:
    broken = replace(on_l4, args=("--exit=1",))
    with pytest.raises(DeploymentError) as caught:
        deploy(in_vertex, replace(broken, fallbacks=(on_a100(broken),)))
    assert not isinstance(caught.value, StockoutError)
    assert len(in_vertex.endpoints()) == 1


def test_headroom_is_the_limit_less_what_endpoints_hold(
    local: LocalCloud, in_vertex: Vertex, on_l4: ServingPlan
) -> None:
    limit(local, in_vertex.project, L4, REGION, 5)
    limit(local, in_vertex.project, A100, REGION, 2)
    in_vertex.deploy(replace(on_l4, max_replica_count=3))
    assert read_quotas(in_vertex.project, REGION, [L4, A100]) == {
        (L4, REGION): Headroom(5, 3),
        (A100, REGION): Headroom(2, 0),
    }


def test_what_may_not_be_read_is_not_known_and_no_failure(
    local: LocalCloud, in_vertex: Vertex, on_l4: ServingPlan
) -> None:
    local.deny("cloudquotas.quotas.get", f"projects/{in_vertex.project}")
    assert read_quotas(in_vertex.project, REGION, [L4]) == {}


@pytest.mark.parametrize(
    "fault", [{"kind": "error"}, {"kind": "operation_error", "after_seconds": 0}], ids=["at once", "in the operation"]
)
def test_a_stockout_goes_on_to_the_next_whenever_it_is_told(
    faulty: Any, in_vertex: Vertex, on_l4: ServingPlan, fault: dict[str, Any]
) -> None:
    faulty.add_fault(rpc="DeployModel", known="stockout", **fault)
    deployed = deploy(in_vertex, replace(on_l4, fallbacks=(on_a100(on_l4),)))
    (attempt,) = deployed.attempts
    assert (attempt.stockout.domain, attempt.stockout.blocks) == ("capacity", "zone")
    assert deployed.plan.machine_type == "a2-highgpu-1g"
    assert [endpoint.name for endpoint in in_vertex.endpoints()] == [deployed.endpoint]
