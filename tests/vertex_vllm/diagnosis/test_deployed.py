"""An endpoint is diagnosed from its containers' logs and from the end of its deploy operation."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError

from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.served_models import NEVER_READY, MakePlan, Vertex, in_vertex, make_plan
from vertex_vllm.diagnosis.deployed import diagnose_endpoint
from vertex_vllm.errors import DeploymentError
from vertex_vllm.planning.plan import ServingPlan

__all__ = ["in_vertex", "make_plan"]

READY = (
    "(APIServer pid=1) INFO:     Starting vLLM server on http://0.0.0.0:8080\nINFO:     Application startup complete."
)


def test_a_deploy_that_timed_out_with_a_ready_server_says_so(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since = datetime.now(UTC)
    with pytest.raises(DeploymentError) as raised:
        in_vertex.deploy(make_plan(args=(NEVER_READY, f"--say={said}")), deadline_seconds=3)
    found = diagnose_endpoint(raised.value.where, since)
    assert (found.outcome, [cause.rule for cause in found.causes]) == ("failed", ["ready_too_late"])
    assert "The deploy ended at 20" in found.causes[0].explanation


def test_an_endpoint_that_serves_is_left_to_its_log(in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since = datetime.now(UTC)
    endpoint = in_vertex.deploy(make_plan(args=(f"--say={said}",)))
    found = diagnose_endpoint(endpoint, since)
    assert (found.outcome, found.causes) == ("serving", ())


def _undeployed(in_vertex: Vertex, plan: ServingPlan) -> str:
    """The endpoint of a model that was deployed and undeployed again."""
    endpoint = in_vertex.deploy(plan)
    [deployed] = in_vertex.endpoint(endpoint).deployed_models
    in_vertex.endpoint_client.undeploy_model(endpoint=endpoint, deployed_model_id=deployed.id).result()
    return endpoint


def _deploy_again(in_vertex: Vertex, endpoint: str, plan: ServingPlan) -> Any:
    """A deploy of the same model at the same endpoint; its operation, which has ended."""
    machine = {"machine_spec": {"machine_type": plan.machine_type}, "min_replica_count": 1}
    deployed = {"model": in_vertex.upload(plan), "dedicated_resources": machine}
    return in_vertex.endpoint_client.deploy_model(endpoint=endpoint, deployed_model=deployed)


def test_a_stockout_after_a_deploy_that_served_is_the_cause(
    faulty: Any, in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since, plan = datetime.now(UTC), make_plan(args=(f"--say={said}",))
    endpoint = _undeployed(in_vertex, plan)
    faulty.add_fault(rpc="DeployModel", known="stockout", kind="operation_error", after_seconds=0)
    with pytest.raises(GoogleAPICallError):
        _deploy_again(in_vertex, endpoint, plan).result()
    found = diagnose_endpoint(endpoint, since)
    assert (found.outcome, [cause.rule for cause in found.causes]) == ("failed", ["stockout"])


def test_a_deploy_that_failed_before_one_that_served_is_over(
    faulty: Any, in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since, plan = datetime.now(UTC), make_plan(args=(f"--say={said}",))
    endpoint = in_vertex.endpoint_client.create_endpoint(parent=in_vertex.parent, endpoint={"display_name": "e"})
    name = endpoint.result().name
    faulty.add_fault(rpc="DeployModel", known="stockout", kind="operation_error", after_seconds=0)
    with pytest.raises(GoogleAPICallError):
        _deploy_again(in_vertex, name, plan).result()
    served = _deploy_again(in_vertex, name, plan).result().deployed_model
    in_vertex.endpoint_client.undeploy_model(endpoint=name, deployed_model_id=served.id).result()
    found = diagnose_endpoint(name, since)
    assert (found.outcome, found.causes) == ("serving", ())


def test_a_deploy_that_was_cancelled_is_not_explained_by_an_earlier_log(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since, plan = datetime.now(UTC), make_plan(args=(f"--say={said}",))
    endpoint = _undeployed(in_vertex, plan)
    operation = _deploy_again(in_vertex, endpoint, replace(plan, args=(NEVER_READY,)))
    operation.cancel()
    with pytest.raises(GoogleAPICallError):
        operation.result()
    found = diagnose_endpoint(endpoint, since)
    assert (found.outcome, found.causes) == ("failed", ())


def test_an_account_that_reads_logs_alone_is_told_what_they_say(
    local: LocalCloud, in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since = datetime.now(UTC)
    endpoint = in_vertex.deploy(make_plan(args=(f"--say={said}",)))
    denial = {"permission": "aiplatform.endpoints.get", "resource": f"projects/{in_vertex.project}"}
    local.put("denials", **denial, denied=True)
    found = diagnose_endpoint(endpoint, since)
    local.put("denials", **denial, denied=False)
    assert (found.outcome, found.causes) == ("serving", ())
