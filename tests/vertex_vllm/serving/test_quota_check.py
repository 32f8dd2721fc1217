"""Quota rows and verdicts; and Cloud Quotas asked by the real client."""

from dataclasses import replace
from typing import Any

import pytest
from google.cloud.cloudquotas_v1 import DimensionsInfo, QuotaDetails

from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex, serving_plan
from vertex_vllm.errors import QuotaShortageError, ServiceError
from vertex_vllm.google.quota_limits import CPU_QUOTA, limit_in_region
from vertex_vllm.planning.plan import QuotaNeed
from vertex_vllm.serving.quota_check import QuotaVerdict, Used, check_quota, check_quotas, cpu_need, judge

L4 = "CustomModelServingL4GPUsPerProjectPerRegion"
NEED = QuotaNeed(L4, "us-central1", accelerators=4, minimum=2)


def row(value: int, region: str = "", *locations: str) -> DimensionsInfo:
    return DimensionsInfo(
        dimensions={"region": region} if region else {},
        details=QuotaDetails(value=value),
        applicable_locations=list(locations),
    )


ELSEWHERE = row(9, "europe-west4", "europe-west4")
HERE = row(8, "us-central1", "us-central1")
SEVERAL = row(5, "", "us-central1", "us-east1")
GLOBAL = row(3, "", "global")


@pytest.mark.parametrize(
    ("rows", "limit"),
    [
        ([GLOBAL, SEVERAL, ELSEWHERE, HERE], 8),
        ([GLOBAL, SEVERAL, ELSEWHERE], 5),
        ([ELSEWHERE, GLOBAL], 3),
        ([row(2)], 2),
        ([ELSEWHERE, row(7, "", "us-east1")], 0),
        ([], 0),
    ],
)
def test_the_row_that_holds_in_a_region(rows: list[DimensionsInfo], limit: int) -> None:
    assert limit_in_region(rows, "us-central1") == limit


@pytest.mark.parametrize("limit", [4, 100, -1])
def test_enough(limit: int) -> None:
    assert judge("p", NEED, limit, preemptible=False) == QuotaVerdict(L4, "us-central1", limit, 4, 2, "")


@pytest.mark.parametrize("limit", [2, 3])
def test_enough_to_start_is_a_warning(limit: int) -> None:
    verdict = judge("p", NEED, limit, preemptible=True)
    assert verdict.warning == (
        f"the project has {limit} preemptible accelerators in us-central1 by quota {L4}: "
        "the plan starts with 2, but cannot grow to 4"
    )


@pytest.mark.parametrize("limit", [0, 1])
def test_a_shortage_names_quota_region_have_need_and_what_to_do(limit: int) -> None:
    with pytest.raises(QuotaShortageError) as raised:
        judge("some-project", NEED, limit, preemptible=False)
    told = str(raised.value)
    assert told.startswith(
        f"some-project: the project has {limit} accelerators in us-central1 by quota {L4}; "
        "the plan needs 2 to start and 4 at most. "
    )
    assert "https://console.cloud.google.com/iam-admin/quotas?project=some-project" in told
    assert f"--quota-id={L4} --dimensions=region=us-central1 --preferred-value=4" in told


@pytest.mark.parametrize("used", [Used(3, 3, ("vllm-other-1",)), Used(3, 9, ("vllm-other-1",))])
def test_what_is_in_use_counts(used: Used) -> None:
    with pytest.raises(QuotaShortageError) as raised:
        judge("some-project", NEED, 4, preemptible=False, used=used)
    told = str(raised.value)
    assert (
        f"the project has 4 accelerators in us-central1 by quota {L4}, of which {used} are in use (vllm-other-1)"
        in told
    )
    assert "Tear down what is not needed (vertex-vllm endpoints list --project some-project), or ask for more" in told
    assert f"--preferred-value={4 + used.most}" in told


def test_what_may_come_into_use_is_a_warning() -> None:
    verdict = judge("p", NEED, 8, preemptible=False, used=Used(1, 6, ("vllm-other-1",)))
    assert verdict.warning.endswith("in use (vllm-other-1): the plan starts with 2, but may find too few left")


def test_an_endpoint_of_the_same_config_does_not_count_and_one_of_another_does(
    in_vertex: Vertex, make_plan: MakePlan, local: Any
) -> None:
    project = in_vertex.project
    local.put("quotas", project=project, quota_id=L4, region=REGION, limit=1)
    machine = {"machine_type": "g2-standard-8", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
    plan = make_plan(**machine)
    name = in_vertex.deploy(plan)
    assert check_quotas(project, plan).used == Used()
    changed = replace(plan, max_model_len=512)
    with pytest.raises(QuotaShortageError, match=f"of which 1 are in use \\({name.rpartition('/')[2]}\\)"):
        check_quotas(project, changed)
    local.put("quotas", project=project, quota_id=L4, region=REGION, limit=2)
    assert check_quotas(project, changed).used == Used(1, 1, (name.rpartition("/")[2],))


@pytest.mark.parametrize(
    ("machine", "spot", "need"),
    [
        ("n1-standard-8", False, QuotaNeed(CPU_QUOTA, REGION, 24, 8)),
        ("n1-highmem-16", False, QuotaNeed(CPU_QUOTA, REGION, 48, 16)),
        ("n1-standard-8", True, None),
        ("g2-standard-8", False, None),
        ("n2-standard-8", False, None),
    ],
)
def test_the_cpus_of_n1_machines_have_a_quota_of_their_own(machine: str, spot: bool, need: QuotaNeed | None) -> None:
    assert cpu_need(serving_plan(machine_type=machine, spot=spot, max_replica_count=3)) == need


def test_the_limit_that_cloud_quotas_tells(local: Any, project: str) -> None:
    local.put("quotas", project=project, quota_id=L4, region="us-central1", limit=4)
    local.put("quotas", project=project, quota_id=L4, region="europe-west4", limit=1)
    assert check_quota(project, NEED, preemptible=False) == QuotaVerdict(L4, "us-central1", 4, 4, 2, "")
    with pytest.raises(QuotaShortageError, match="1 accelerators in europe-west4"):
        check_quota(project, replace(NEED, region="europe-west4"), preemptible=False)


def test_a_limit_that_lets_it_start_but_not_grow_is_logged(
    local: Any, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    local.put("quotas", project=project, quota_id=L4, region="us-central1", limit=3)
    assert check_quota(project, NEED, preemptible=False).limit == 3
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"the project has 3 accelerators in us-central1 by quota {L4}: the plan starts with 2, but cannot grow to 4"
    ]


def test_a_quota_that_does_not_exist(cloud: Any, project: str) -> None:
    with pytest.raises(ServiceError, match="no such quota"):
        check_quota(project, replace(NEED, quota_id="NoSuchQuota"), preemptible=False)


def test_a_quota_that_may_not_be_read(local: Any, project: str) -> None:
    local.deny("cloudquotas.quotas.get", f"projects/{project}")
    with pytest.raises(ServiceError, match=r"roles/cloudquotas\.viewer"):
        check_quota(project, NEED, preemptible=False)
