"""The sweep on the local cloud: deletes the resources that are due, and no others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from tests.localcloud.services.pipelines import samples
from tests.vertex_vllm.cli.test_endpoints_command import submit_run
from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.lifecycle.teardown_states import deploying, names, unlabelled_endpoint, unlabelled_model
from tests.vertex_vllm.served_models import NEVER_READY, REGION, MakePlan, Vertex
from vertex_vllm.catalog.prices import HourlyPrice
from vertex_vllm.errors import TeardownError
from vertex_vllm.hub.access import check_access
from vertex_vllm.labels import KEEP_LABEL, Owner
from vertex_vllm.lifecycle.project_inventory import holdings
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.lifecycle.sweep import Finding, SweepReport, require_clean, sweep
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.mirror import destination, mirror_weights
from vertex_vllm.runs.vertex_engine import VertexEngine
from vertex_vllm.vertex_ai.clients import endpoint_client

pytestmark = pytest.mark.usefixtures("working")

NOW = datetime.now(UTC)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
EXPIRED = f"expired at {PAST:%Y-%m-%d %H:%M} UTC"
CLOSED = "me-central2"
L4 = {"machine_type": "g2-standard-12", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}


def keep(in_vertex: Vertex, name: str) -> None:
    endpoint = in_vertex.endpoint(name)
    endpoint.labels[KEEP_LABEL] = "true"
    in_vertex.endpoint_client.update_endpoint(endpoint=endpoint, update_mask="labels")


def ended_run(in_vertex: Vertex, run_id: str, folder: Path) -> None:
    """A run that was cancelled, whose exit handler removed nothing."""
    # Only its cancellation ends the run, however late it arrives.
    files = {"path": str(folder / "waiting"), "status_path": str(folder / "status")}
    submit_run(in_vertex.project, run_id, folder, samples.waiting, **files)
    name = f"{in_vertex.parent}/pipelineJobs/{run_id}"
    VertexEngine().cancel(name)
    assert VertexEngine().watch(name, lambda run: None).state == "CANCELLED"


def test_what_expired_goes_and_what_it_saves_is_told(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan(**L4)
    expired = in_vertex.deploy(plan, expires=PAST)
    in_vertex.deploy(make_plan(), expires=FUTURE)
    in_vertex.deploy(make_plan())
    unlabelled_endpoint(in_vertex, {"team": "search", "vertex-vllm-expires": "1"})
    unlabelled_model(in_vertex, {"managed-by": "vertex-vllm", "vertex-vllm-expires": "1"})
    (version,) = [each.name for each in in_vertex.versions() if plan.deployment in each.name]
    findings = (
        Finding(expired, EXPIRED, HourlyPrice(1.0004, 1.0004)),
        Finding(version, EXPIRED, HourlyPrice(0.0, 0.0)),
    )
    before = names(in_vertex)

    planned = sweep(in_vertex.project, [REGION])
    assert planned == SweepReport(True, findings)
    assert str(planned).splitlines()[-1] == "Would save 1.00 USD/h"
    assert names(in_vertex) == before

    swept = sweep(in_vertex.project, [REGION], dry_run=False)
    assert swept == SweepReport(False, findings)
    assert str(swept).splitlines()[-1] == "Saves 1.00 USD/h"
    assert set(names(in_vertex)) == set(before) - {expired, version}
    assert sweep(in_vertex.project, [REGION], dry_run=False) == SweepReport(False)


def test_a_keep_label_protects_an_endpoint_and_what_it_serves(in_vertex: Vertex, make_plan: MakePlan) -> None:
    name = in_vertex.deploy(make_plan(), expires=PAST)
    keep(in_vertex, name)
    before = names(in_vertex)
    assert sweep(in_vertex.project, [REGION], dry_run=False).findings == ()
    assert names(in_vertex) == before


def test_what_a_cancelled_run_left_goes_unless_it_was_promoted(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path, cloud: Any
) -> None:
    left, live = make_plan(), make_plan()
    in_vertex.deploy(left, "run-1")
    kept = in_vertex.deploy(live, "run-1")
    (version,) = [each.name for each in in_vertex.versions() if live.deployment in each.name]
    promote_endpoint(in_vertex.project, REGION, kept, version, Owner(live.deployment, "run-1"))
    assert sweep(in_vertex.project, [REGION], dry_run=False).findings == ()  # no such run exists
    ended_run(in_vertex, "run-1", tmp_path)
    reasons = {each.reason for each in sweep(in_vertex.project, [REGION], dry_run=False).findings}
    assert reasons == {"left by run run-1, which is CANCELLED"}
    assert names(in_vertex) == tuple(sorted([kept, version]))


def test_a_deploy_that_a_killed_run_left_going_on_is_ended(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    plan = make_plan(args=(NEVER_READY,))
    deploying(in_vertex, plan)
    ended_run(in_vertex, "run-1", tmp_path)
    require_clean(sweep(in_vertex.project, [REGION], dry_run=False))
    assert names(in_vertex) == ()


def test_what_a_dead_run_made_in_another_region_goes_where_both_are_swept(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    """As when its own region was out of stock."""
    plan = make_plan(region="europe-west4")
    name = in_vertex.deploy(plan, "run-1")
    ended_run(in_vertex, "run-1", tmp_path)
    assert sweep(in_vertex.project, ["europe-west4"], dry_run=False).findings == ()
    swept = sweep(in_vertex.project, [REGION, "europe-west4"], dry_run=False)
    assert swept.remaining == {}
    assert name in {each.name for each in swept.findings}
    assert list(endpoint_client("europe-west4").list_endpoints(parent=name.rpartition("/endpoints")[0])) == []


def test_no_run_is_taken_for_dead_while_those_of_a_region_are_not_known(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path, faulty: Any
) -> None:
    in_vertex.deploy(make_plan(), "run-1")
    ended_run(in_vertex, "run-1", tmp_path)
    before = names(in_vertex)
    faulty.add_fault(rpc="ListPipelineJobs", kind="error", code="PERMISSION_DENIED", times=1)
    report = sweep(in_vertex.project, ["europe-west4", REGION], dry_run=False)
    assert (report.findings, names(in_vertex)) == ((), before)
    (left,) = report.remaining.values()  # the regions are asked at once: whichever the fault struck
    assert left.endswith("The caller does not have permission")


def test_a_region_that_the_project_may_not_use_keeps_nothing_from_going(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path, faulty: Any
) -> None:
    name = in_vertex.deploy(make_plan(), "run-1")
    ended_run(in_vertex, "run-1", tmp_path)
    close(faulty)
    report = sweep(in_vertex.project, [CLOSED, REGION], dry_run=False)
    assert report.remaining == {}
    assert name in {each.name for each in report.findings}
    assert names(in_vertex) == ()
    assert holdings(in_vertex.project, [CLOSED, REGION]).unreachable == {}


def test_a_teardown_passes_over_a_region_that_the_project_may_not_use(
    in_vertex: Vertex, make_plan: MakePlan, faulty: Any
) -> None:
    plan = make_plan()
    name = in_vertex.deploy(plan)
    close(faulty)
    report = teardown(in_vertex.project, REGION, plan.deployment, also_in=[CLOSED])
    assert name in report.removed


@pytest.mark.parametrize("kept", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_weights_that_no_model_serves_from_go_from_a_bucket_of_ours(
    in_vertex: Vertex, local: LocalCloud, llama: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    project = in_vertex.project
    client = storage.Client(project=project)
    model_id = local.repo(llama)
    commit = check_access(model_id, "main", None).commit
    for name, labels in (("ours", {"managed-by": "vertex-vllm", **({KEEP_LABEL: ""} if kept else {})}), ("theirs", {})):
        bucket = client.bucket(f"{project}-{name}")
        bucket.labels = labels
        client.create_bucket(bucket, location=REGION)
        mirror_weights(model_id, commit, None, destination(bucket.name, model_id, commit), project)
    assert sweep(project, [REGION], dry_run=False).findings == ()  # it is new
    monkeypatch.setattr("vertex_vllm.lifecycle.sweep.UNUSED", timedelta(0))
    findings = sweep(project, [REGION], dry_run=False).findings
    unused = destination(f"{project}-ours", model_id, commit)
    assert [each.name for each in findings] == ([] if kept else [unused])
    left = {name: len(list(client.list_blobs(f"{project}-{name}"))) for name in ("ours", "theirs")}
    assert left["theirs"] > 0
    assert (left["ours"] > 0) == kept


def close(faulty: Any) -> None:
    """As me-central2 is to an ordinary project."""
    refusal = f"Location {CLOSED} violates a policy of this project: LOCATION_POLICY_VIOLATED"
    host = f"{CLOSED}-aiplatform.googleapis.com"
    faulty.add_fault(host=host, kind="error", code="PERMISSION_DENIED", message=refusal, times=None)


def test_an_orphan_goes_when_the_configs_are_named(in_vertex: Vertex, make_plan: MakePlan) -> None:
    orphan, wanted = make_plan(), make_plan()
    name = in_vertex.deploy(orphan)
    stays = in_vertex.deploy(wanted)
    report = sweep(in_vertex.project, [REGION], [wanted.deployment, "another"], dry_run=False)
    assert {each.reason for each in report.findings} == {f"no config is named {orphan.deployment}"}
    assert name in {each.name for each in report.findings}
    assert [endpoint.name for endpoint in in_vertex.endpoints()] == [stays]


def test_what_cannot_be_removed_is_told_and_the_rest_goes(
    in_vertex: Vertex, make_plan: MakePlan, local: LocalCloud
) -> None:
    plan = make_plan()
    endpoints = [in_vertex.deploy(plan, expires=PAST)]
    endpoints.append(in_vertex.deploy(replace(plan, max_model_len=2048), expires=PAST))
    stuck, other = sorted(endpoints)
    local.deny("aiplatform.endpoints.undeploy", stuck)
    report = sweep(in_vertex.project, [REGION], dry_run=False, deadline_seconds=4)
    local.put("denials", permission="aiplatform.endpoints.undeploy", resource=stuck, denied=False)
    still_there = {each.name: each.still_there for each in report.findings if each.still_there}
    assert "aiplatform.endpoints.undeploy" in still_there[stuck]
    assert other not in still_there
    with pytest.raises(TeardownError, match=stuck):
        require_clean(report)
    require_clean(sweep(in_vertex.project, [REGION], dry_run=False))
    assert names(in_vertex) == ()


def test_a_region_that_cannot_be_asked_is_named_and_the_others_are_swept(
    in_vertex: Vertex, make_plan: MakePlan, local: LocalCloud
) -> None:
    in_vertex.deploy(make_plan(), expires=PAST)
    parent = f"projects/{in_vertex.project}/locations/europe-west4"
    local.deny("aiplatform.endpoints.list", parent)
    report = sweep(in_vertex.project, ["europe-west4", REGION], dry_run=False)
    assert report.failures.keys() == {"europe-west4"}
    assert "aiplatform.endpoints.list" in report.failures["europe-west4"]
    assert names(in_vertex) == ()
    with pytest.raises(TeardownError, match="europe-west4") as raised:
        require_clean(report)
    assert raised.value.remaining == report.failures


def test_a_price_that_nobody_knows_is_not_in_the_sum() -> None:
    unknown = Finding("b", "expired", None)
    report = SweepReport(False, (Finding("a", "expired", HourlyPrice(1, 2)), unknown, replace(unknown, name="c")))
    assert str(report).splitlines() == [
        "removed: a (expired; 1.00 to 2.00 USD/h)",
        "removed: b (expired; price unknown)",
        "removed: c (expired; price unknown)",
        "Saves 1.00 to 2.00 USD/h, and 2 of unknown price",
    ]


def test_a_sweep_that_finds_nothing_says_so() -> None:
    assert str(SweepReport(dry_run=True)) == "nothing found to remove"


def test_a_sweep_whose_time_is_over_looks_no_further_and_says_so(cloud: Any, project: str) -> None:
    report = sweep(project, [REGION, "europe-west4"], deadline_seconds=0)
    assert report.remaining == dict.fromkeys((REGION, "europe-west4"), "not looked at, the time was over")
