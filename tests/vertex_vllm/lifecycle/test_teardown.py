"""Teardown removes all resources of a deployment from any state, and never anybody else's."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from queue import Queue

import pytest

from localcloud.daemon import Connection
from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.lifecycle.teardown_states import (
    STATES,
    State,
    deployed,
    deploying,
    names,
    two_endpoints,
    two_versions,
    unlabelled_endpoint,
    unlabelled_model,
)
from tests.vertex_vllm.served_models import NEVER_READY, REGION, MakePlan, Vertex, told_to_stop
from tests.waiting import PATIENCE_SECONDS, wait_until
from vertex_vllm.errors import DeploymentError, InputError, TeardownError
from vertex_vllm.labels import OPERATION_LABEL, Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.lifecycle.teardown import TeardownReport, teardown
from vertex_vllm.vertex_ai.endpoints import unfinished_deploys
from vertex_vllm.vertex_ai.resource_names import ResourceName

NOTHING = TeardownReport()


@pytest.mark.parametrize(
    ("state", "run_id"),
    [*((state, "") for state in STATES), *((state, "run-1") for state in (two_versions, deployed, deploying))],
    ids=lambda value: getattr(value, "__name__", value or "deployment"),
)
def test_teardown_leaves_nothing_of_any_state(
    in_vertex: Vertex, make_plan: MakePlan, state: State, run_id: str
) -> None:
    plan = make_plan()
    state(in_vertex, plan)
    made = names(in_vertex)
    report = teardown(in_vertex.project, REGION, plan.deployment, run_id)
    assert report == TeardownReport(removed=made)
    assert names(in_vertex) == ()
    # Gone already is success.
    assert teardown(in_vertex.project, REGION, plan.deployment, run_id) == NOTHING


def test_what_others_made_stays(in_vertex: Vertex, make_plan: MakePlan) -> None:
    ours, theirs = make_plan(), make_plan()
    in_vertex.deploy(theirs)
    unlabelled_endpoint(in_vertex, {"team": "search"})
    # Ours by one label, but not made by this project.
    unlabelled_endpoint(in_vertex, {"vertex-vllm-deployment": ours.deployment})
    unlabelled_model(in_vertex, {"managed-by": "vertex-vllm"})
    before = names(in_vertex)
    in_vertex.deploy(ours)
    teardown(in_vertex.project, REGION, ours.deployment)
    assert names(in_vertex) == before
    assert len(in_vertex.endpoints()) == 3


def test_what_another_run_made_stays(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    first = in_vertex.deploy(plan, run="run-1")
    second = in_vertex.deploy(replace(plan, max_model_len=2048), run="run-2")
    report = teardown(in_vertex.project, REGION, plan.deployment, "run-2")
    (version,) = in_vertex.versions()
    assert report.removed == (second, version.name.replace("@1", "@2"))
    assert report.kept == {first: "made by run run-1", version.name: "made by run run-1"}
    assert [endpoint.name for endpoint in in_vertex.endpoints()] == [first]
    assert len(in_vertex.endpoint(first).deployed_models) == 1


def test_a_run_that_only_found_what_serves_takes_nothing_away(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    name = in_vertex.deploy(plan, run="run-1")
    assert in_vertex.deploy(plan, run="run-2") == name
    assert teardown(in_vertex.project, REGION, plan.deployment, "run-2").removed == ()
    assert len(in_vertex.endpoint(name).deployed_models) == 1


def test_the_first_versions_run_goes_though_its_version_is_the_default(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    in_vertex.upload(plan, run="run-1")
    second = in_vertex.upload(replace(plan, max_model_len=2048), run="run-2")
    teardown(in_vertex.project, REGION, plan.deployment, "run-1")
    (left,) = in_vertex.versions()
    assert (left.version_id, "default" in left.version_aliases) == (ResourceName.parse(second, "models").version, True)


def test_a_version_that_serves_elsewhere_stays(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    uploaded = in_vertex.upload(plan)
    theirs = unlabelled_endpoint(in_vertex, {"team": "search"})
    machine = {"machine_spec": {"machine_type": "n1-standard-4"}, "min_replica_count": 1}
    in_vertex.endpoint_client.deploy_model(
        endpoint=theirs,
        deployed_model={"model": uploaded, "dedicated_resources": machine},
        traffic_split={"0": 100},
    ).result(timeout=PATIENCE_SECONDS)
    report = teardown(in_vertex.project, REGION, plan.deployment)
    (version,) = in_vertex.versions()
    assert report == TeardownReport(kept={version.name: f"served by {theirs}"})
    assert len(in_vertex.endpoint(theirs).deployed_models) == 1


def test_a_live_endpoint_goes_with_its_deployment(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    name = in_vertex.deploy(plan)
    (version,) = in_vertex.versions()
    promote_endpoint(in_vertex.project, REGION, name, version.name, Owner(plan.deployment, "run-1"))
    teardown(in_vertex.project, REGION, plan.deployment)
    assert names(in_vertex) == ()


def test_two_teardowns_at_once_both_succeed(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    two_endpoints(in_vertex, plan)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(teardown, in_vertex.project, REGION, plan.deployment) for _ in range(2)]
        assert all(run.result(timeout=PATIENCE_SECONDS).remaining == {} for run in runs)
    assert names(in_vertex) == ()


def test_a_teardown_during_a_deploy_wins(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan, started = make_plan(args=(NEVER_READY,)), Queue()
    with ThreadPoolExecutor() as pool:
        run = pool.submit(in_vertex.deploy, plan, on_operation=started.put)
        started.get(timeout=PATIENCE_SECONDS)
        teardown(in_vertex.project, REGION, plan.deployment)
        with pytest.raises(DeploymentError):
            run.result(timeout=PATIENCE_SECONDS)
    assert names(in_vertex) == ()


def test_a_noted_deploy_is_ended_where_operations_can_be_neither_listed_nor_found_otherwise(
    in_vertex: Vertex, make_plan: MakePlan, faulty: Connection
) -> None:
    """As after SIGKILL: nobody waits for the deploy, and Vertex AI does not list operations."""
    plan, started = make_plan(args=(NEVER_READY,)), Queue()
    with ThreadPoolExecutor() as pool:
        run = pool.submit(in_vertex.deploy, plan, on_operation=started.put)
        operation = started.get(timeout=30)
        wait_until(lambda: OPERATION_LABEL in in_vertex.endpoints()[0].labels)
        faulty.add_fault(rpc="ListOperations", kind="error", code="UNIMPLEMENTED", message="not here", times=None)
        assert unfinished_deploys(in_vertex.endpoint_client, in_vertex.endpoints()[0].name) == [operation]
        teardown(in_vertex.project, REGION, plan.deployment)
        with pytest.raises(DeploymentError):
            run.result(timeout=60)
    assert names(in_vertex) == ()


def test_what_cannot_be_removed_is_named_and_the_rest_goes(
    in_vertex: Vertex, make_plan: MakePlan, local: LocalCloud
) -> None:
    plan = make_plan()
    two_endpoints(in_vertex, plan)
    stuck, other = sorted(endpoint.name for endpoint in in_vertex.endpoints())
    local.deny("aiplatform.endpoints.undeploy", stuck)
    with pytest.raises(TeardownError) as raised:  # long before the deadline: a retry cannot help
        teardown(in_vertex.project, REGION, plan.deployment)
    local.put("denials", permission="aiplatform.endpoints.undeploy", resource=stuck, denied=False)
    assert f"{stuck} could not be removed, and serves it" in raised.value.message
    assert stuck in raised.value.message
    assert "aiplatform.endpoints.undeploy" in raised.value.message
    assert other not in raised.value.message
    assert [endpoint.name for endpoint in in_vertex.endpoints()] == [stuck]
    assert len(in_vertex.versions()) == 1
    teardown(in_vertex.project, REGION, plan.deployment)
    assert names(in_vertex) == ()


def test_a_region_that_cannot_be_asked_is_told_and_does_not_keep_the_others(
    in_vertex: Vertex, make_plan: MakePlan, local: LocalCloud
) -> None:
    plan = make_plan()
    in_vertex.deploy(plan)
    parent = f"projects/{in_vertex.project}/locations/europe-west4"
    local.deny("aiplatform.endpoints.list", parent)
    with pytest.raises(TeardownError, match=r"Still there: europe-west4: .*aiplatform.endpoints.list"):
        teardown(in_vertex.project, "europe-west4", plan.deployment, also_in=[REGION])
    assert names(in_vertex) == ()


def test_a_teardown_told_to_stop_still_begins_to_undeploy_everything(
    in_vertex: Vertex, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(args=("--stop-after=1",))
    two_endpoints(in_vertex, plan)
    with monkeypatch.context() as patched:
        patched.setattr("vertex_vllm.lifecycle.teardown.interruption", told_to_stop)
        # The service may still be deleting some of it at that moment.
        with suppress(TeardownError):
            teardown(in_vertex.project, REGION, plan.deployment)
    for endpoint in in_vertex.endpoints():
        for operation in in_vertex.operations(endpoint.name):
            in_vertex.endpoint_client.wait_operation({"name": operation.name, "timeout": {"seconds": PATIENCE_SECONDS}})
    assert not any(endpoint.deployed_models for endpoint in in_vertex.endpoints())
    teardown(in_vertex.project, REGION, plan.deployment)
    assert names(in_vertex) == ()


@pytest.mark.parametrize("prefix", ["weights/model", "gs://bucket", "gs://bucket/", "gs://bucket//", "s3://bucket/x"])
def test_a_malformed_prefix_is_refused_before_anything_is_removed(
    in_vertex: Vertex, make_plan: MakePlan, prefix: str
) -> None:
    plan = make_plan()
    in_vertex.upload(plan)
    with pytest.raises(InputError, match="gs://BUCKET/PATH"):
        teardown(in_vertex.project, REGION, plan.deployment, delete_prefix=prefix)
    assert len(in_vertex.versions()) == 1
