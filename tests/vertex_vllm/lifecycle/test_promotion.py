"""Only one endpoint of a deployment is live."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint


def test_the_promoted_endpoint_is_live_and_the_others_are_superseded(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    changed = replace(plan, max_model_len=2048)
    owner = Owner(plan.deployment, "run-1")
    first, second = in_vertex.deploy(plan), in_vertex.deploy(changed)
    models = [in_vertex.upload(plan), in_vertex.upload(changed)]
    bystander = in_vertex.deploy(make_plan())

    assert promote_endpoint(in_vertex.project, REGION, first, models[0], owner) == (second,)
    assert promote_endpoint(in_vertex.project, REGION, second, models[1], owner) == (first,)
    # A second promotion changes nothing.
    assert promote_endpoint(in_vertex.project, REGION, second, models[1], owner) == (first,)

    stages = [in_vertex.endpoint(name).labels.get("vertex-vllm-stage") for name in (first, second, bystander)]
    assert stages == ["superseded", "live", None]
    assert in_vertex.endpoint(second).labels["vertex-vllm-run"] == "run-1"
    by_alias = {
        alias: version.version_id
        for version in in_vertex.versions()
        if version.display_name == plan.deployment
        for alias in version.version_aliases
    }
    assert (by_alias["live"], by_alias["default"]) == ("2", "2")
    # The superseded endpoint still serves its callers.
    assert len(in_vertex.endpoint(first).deployed_models) == 1


@pytest.mark.parametrize("code", ["FAILED_PRECONDITION", "ALREADY_EXISTS", "INVALID_ARGUMENT"])
def test_an_alias_that_another_version_holds_is_taken_from_it(
    in_vertex: Vertex, make_plan: MakePlan, faulty: Any, code: str
) -> None:
    """Whether Vertex AI moves it by itself is not documented."""
    plan = make_plan()
    owner = Owner(plan.deployment, "run-1")
    first, second = in_vertex.deploy(plan), in_vertex.deploy(replace(plan, max_model_len=2048))
    models = [in_vertex.upload(plan), in_vertex.upload(replace(plan, max_model_len=2048))]
    promote_endpoint(in_vertex.project, REGION, first, models[0], owner)
    faulty.add_fault(rpc="MergeVersionAliases", kind="error", code=code, message="held by another version", times=1)
    promote_endpoint(in_vertex.project, REGION, second, models[1], owner)
    held = {
        version.version_id: {alias for alias in version.version_aliases if not alias.startswith("config-")}
        for version in in_vertex.versions()
    }
    assert held == {"1": set(), "2": {"live", "default"}}


def test_a_refusal_that_no_other_version_causes_is_told(in_vertex: Vertex, make_plan: MakePlan, faulty: Any) -> None:
    plan = make_plan()
    name = in_vertex.deploy(plan)
    faulty.add_fault(rpc="MergeVersionAliases", kind="error", code="INVALID_ARGUMENT", message="bad alias", times=1)
    with pytest.raises(DeploymentError, match="bad alias"):
        promote_endpoint(in_vertex.project, REGION, name, in_vertex.upload(plan), Owner(plan.deployment, "run-1"))


def test_another_deployments_endpoint_is_not_promoted(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan, other = make_plan(), make_plan()
    name = in_vertex.deploy(other)
    with pytest.raises(DeploymentError, match=f"does not belong to deployment {plan.deployment}"):
        promote_endpoint(in_vertex.project, REGION, name, in_vertex.upload(other), Owner(plan.deployment, "run-1"))
    assert "vertex-vllm-stage" not in in_vertex.endpoint(name).labels
