"""Uploading: one version per config and place of the weights."""

from dataclasses import replace

import pytest

from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.served_models import REGION, WEIGHTS, MakePlan, Vertex, told_to_stop
from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import Owner
from vertex_vllm.serving.requests import upload_request
from vertex_vllm.serving.upload import upload_model, withdraw


def test_a_model_is_uploaded_once_however_often_it_is_asked_for(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    name = in_vertex.upload(plan)
    assert name == f"projects/{in_vertex.project}/locations/{REGION}/models/vllm-{plan.deployment}@1"
    assert in_vertex.upload(plan, run="run-2") == name
    assert [version.labels["vertex-vllm-run"] for version in in_vertex.versions()] == ["run-2"]


def test_another_config_is_another_version_of_the_same_model(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    first = in_vertex.upload(plan)
    second = in_vertex.upload(replace(plan, args=("--max-model-len=512",)))
    assert second == first.replace("@1", "@2")
    assert in_vertex.upload(plan) == first


def test_the_same_config_with_other_weights_is_another_version(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    in_vertex.upload(plan)
    elsewhere = upload_model(in_vertex.project, plan, "gs://other/weights", Owner(plan.deployment, "run-1"))
    assert elsewhere.endswith("@2")
    args = [list(version.container_spec.args) for version in in_vertex.versions()]
    assert sorted(args) == [["--model=gs://other/weights"], ["--model=gs://weights/models/org/name/0123abcd"]]


def test_no_token_and_no_command_is_in_what_was_uploaded(
    in_vertex: Vertex, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    in_vertex.upload(make_plan())
    (uploaded,) = in_vertex.versions()
    assert not uploaded.container_spec.command
    environment = {variable.name for variable in uploaded.container_spec.env}
    assert environment == {"MODEL_ID", "DEPLOY_SOURCE", "HF_HUB_OFFLINE"}
    assert "hf_canary" not in str(uploaded)


def test_somebody_elses_model_of_that_name_is_not_touched(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    foreign = in_vertex.model_client.upload_model(
        {
            "parent": in_vertex.parent,
            "model_id": f"vllm-{plan.deployment}",
            "model": {"display_name": "theirs", "container_spec": {"image_uri": plan.image}},
        }
    )
    foreign.result(timeout=PATIENCE_SECONDS)
    with pytest.raises(DeploymentError, match="not touched"):
        in_vertex.upload(plan)
    assert [version.display_name for version in in_vertex.versions()] == ["theirs"]


def test_a_refusal_comes_in_the_services_words(in_vertex: Vertex, make_plan: MakePlan, local: LocalCloud) -> None:
    local.deny("aiplatform.models.upload", in_vertex.parent)
    with pytest.raises(DeploymentError, match=r"PERMISSION_DENIED: .*aiplatform\.models\.upload"):
        in_vertex.upload(make_plan())


def test_a_process_told_to_stop_uploads_nothing_more(
    in_vertex: Vertex, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vertex_vllm.serving.upload.interruption", told_to_stop)
    with pytest.raises(DeploymentError, match="Stopped by SIGTERM before anything was uploaded"):
        in_vertex.upload(make_plan())
    assert in_vertex.versions() == []


def test_an_upload_that_ended_before_it_could_be_cancelled_is_undone(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    first = in_vertex.upload(plan)
    other = replace(plan, max_model_len=512)
    request = upload_request(
        in_vertex.project, other, WEIGHTS, Owner(plan.deployment, "run-1"), parent_model=first.partition("@")[0]
    )
    second = in_vertex.model_client.upload_model(request)
    second.result(timeout=PATIENCE_SECONDS)
    assert withdraw(in_vertex.model_client, second.operation.name) == "the version that was uploaded is removed"
    assert [version.version_id for version in in_vertex.versions()] == ["1"]
