"""Runs of compiled/deploy.yaml that cannot succeed: the error names the cause, and no resource is left."""

import uuid
from typing import Any

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.canary import files_holding
from tests.demo_project import REGION, DemoProject, with_flags
from tests.vertex_vllm.served_models import NEVER_READY
from vertex_vllm.config import Deployment
from vertex_vllm.diagnosis.deployed import diagnose_run
from vertex_vllm.errors import InputError
from vertex_vllm.runs.engine import Run
from vertex_vllm.runs.vertex_engine import VertexEngine
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client

pytestmark = pytest.mark.parity("not yet")


def failed_step(run: Run) -> tuple[str, str]:
    assert run.state == "FAILED"
    step = next(step for step in run.steps if step.state == "FAILED")
    return step.name, step.error


def of_deployment(resources: Any, deployment: str) -> list[str]:
    return [found.name for found in resources if found.labels.get("vertex-vllm-deployment") == deployment]


def made(project: str, deployment: str) -> list[str]:
    """Endpoints and models of a deployment."""
    parent = f"projects/{project}/locations/{REGION}"
    endpoints = endpoint_client(REGION).list_endpoints(parent=parent)
    models = model_client(REGION).list_models(parent=parent)
    return of_deployment(endpoints, deployment) + of_deployment(models, deployment)


@pytest.fixture
def deployment(small_project: DemoProject) -> Deployment:
    return small_project.own_deployment("fails")


@pytest.mark.parametrize(
    ("parameters", "step", "words"),
    [
        ({"revision": "no-such-branch"}, "validate-hf-token", "no-such-branch"),
        ({"model_id": "HuggingFaceTB/no-such-model"}, "validate-hf-token", "HuggingFaceTB/no-such-model"),
        ({"hf_token_secret": "projects/{project}/secrets/none/versions/1"}, "validate-hf-token", "secrets/none"),
        pytest.param(
            {"model_id": "{gated}", "hf_token_secret": ""},
            "validate-hf-token",
            "gated",
            marks=pytest.mark.parity("local cloud only"),  # the gated model is the demo's own
        ),
        ({"image": "", "extra_args": ["--no-such-flag"]}, "plan-serving", "--no-such-flag"),
    ],
    ids=["revision", "model", "secret", "gated", "flag"],
)
def test_bad_input_is_named_before_anything_is_made(
    small_project: DemoProject, deployment: Deployment, parameters: dict[str, Any], step: str, words: str
) -> None:
    bucket = f"never-made-{uuid.uuid4().hex[:8]}"
    given = {
        key: value.format(project=small_project.id, gated=small_project.gated) if isinstance(value, str) else value
        for key, value in parameters.items()
    }
    run = small_project.run("deploy", deployment, bucket=bucket, **given)
    name, error = failed_step(run)
    assert name == step
    assert words in error
    assert "Traceback" not in error
    assert made(small_project.id, deployment.name) == []
    assert storage.Client(project=small_project.id).lookup_bucket(bucket) is None


def test_a_machine_that_does_not_exist_is_refused_before_a_run(
    small_project: DemoProject, deployment: Deployment
) -> None:
    with pytest.raises(InputError, match="g2-standard-9 is not in the catalogue of machines"):
        small_project.run("deploy", deployment, machine_type="g2-standard-9")


@pytest.mark.parity("local cloud only")
def test_a_quota_that_is_too_small_is_named_with_what_is_needed(
    cloud: Connection, small_project: DemoProject, deployment: Deployment
) -> None:
    quota = "CustomModelServingL4GPUsPerProjectPerRegion"
    row = {"project": small_project.id, "quota_id": quota, "region": REGION}
    cloud.admin("PUT", "/_local/quotas", {**row, "limit": 0})
    try:
        name, error = failed_step(small_project.run("deploy", deployment, machine_type="g2-standard-8"))
    finally:
        cloud.admin("PUT", "/_local/quotas", {**row, "limit": 8})
    assert name == "check-quota"
    assert quota in error
    assert REGION in error
    assert made(small_project.id, deployment.name) == []


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.parity("not yet", machine_hours=1.0)
def test_a_container_that_vllm_refuses_to_start_is_torn_down(demo_project: DemoProject) -> None:
    # A valid option of every vLLM; vLLM refuses it at its start, because the container lacks the file.
    refused = ["--chat-template=/no/such/template.jinja"]
    said = "--chat-template names a file that the container does not have: /no/such/template.jinja"
    assert_a_failed_start_is_torn_down(demo_project, demo_project.own_deployment("refused"), said, extra_args=refused)


@pytest.mark.parity("local cloud only")
def test_a_container_that_does_not_start_is_torn_down(
    cloud: Connection, small_project: DemoProject, deployment: Deployment
) -> None:
    said = "No known cause: ValueError: the weights are nowhere to be found"
    assert_a_failed_start_is_torn_down(small_project, with_flags(cloud, deployment, "--exit=3"), said)


def assert_a_failed_start_is_torn_down(
    project: DemoProject, deployment: Deployment, said: str, **parameters: Any
) -> None:
    """`said`: the part of the step's error that says why the container ended."""
    run = project.run("deploy", deployment, keep_endpoint=True, **parameters)
    name, error = failed_step(run)
    assert name == "deploy-model"
    assert "log" in error
    assert said in error
    found = diagnose_run(run.name)
    assert said in (found.summary, *(f"No known cause: {line.message}" for line in found.lines))
    assert {step.name: step.state for step in run.steps}["teardown-run"] == "SUCCEEDED"
    assert made(project.id, deployment.name) == []


@pytest.mark.parametrize(
    "served_by",
    ["small_project", pytest.param("demo_project", marks=[pytest.mark.vllm, pytest.mark.slow])],
    ids=["model server", "vLLM"],
)
@pytest.mark.parity("not yet", machine_hours=1.0)
def test_a_run_cancelled_while_it_deploys_leaves_nothing_deployed(
    served_by: str, request: pytest.FixtureRequest
) -> None:
    project: DemoProject = request.getfixturevalue(served_by)
    deployment = project.own_deployment("cancelled")
    project.deployments.add(deployment.name)
    if project.small_model:  # Never healthy, so that the run is still deploying when it is cancelled.
        deployment = with_flags(request.getfixturevalue("cloud"), deployment, NEVER_READY)
    name = VertexEngine().submit(project.submission("deploy", deployment, keep_endpoint=True))
    cancelled = False

    def cancel_in_deploy(run: Run) -> None:
        nonlocal cancelled
        states = {step.name: step.state for step in run.steps}
        if states.get("deploy-model") == "RUNNING" and not cancelled:
            VertexEngine().cancel(name)
            cancelled = True

    run = VertexEngine().watch(name, cancel_in_deploy)
    assert cancelled
    assert run.state == "CANCELLED"
    assert {step.name: step.state for step in run.steps}["teardown-run"] == "SUCCEEDED"
    assert made(project.id, deployment.name) == []


@pytest.mark.parity("local cloud only")
def test_the_token_of_failed_runs_is_nowhere_but_in_the_secret_store(
    cloud: Connection, small_project: DemoProject, deployment: Deployment
) -> None:
    gated = {
        "model_id": small_project.gated,
        "hf_token_secret": f"projects/{small_project.id}/secrets/hf-token/versions/latest",
    }
    name, _ = failed_step(small_project.run("deploy", with_flags(cloud, deployment, "--exit=3"), **gated))
    assert name == "deploy-model"
    holding = set(files_holding(small_project.token, cloud.state_dir))
    assert holding
    assert {file for file in holding if not file.startswith("secrets.db")} == set()
