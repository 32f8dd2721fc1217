"""compiled/deploy.yaml, submitted by Google's own client; with real vLLM where its answers matter."""

import json
from typing import Any

import pytest
from google.cloud import aiplatform, storage

from tests.demo_project import REGION, DemoProject, Served
from vertex_vllm.runs.engine import Run
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client

pytestmark = pytest.mark.parity("not yet")

STEPS = [
    "validate-hf-token",
    "plan-serving",
    "check-quota",
    "setup-bucket",
    "mirror-weights",
    "upload-model",
    "deploy-model",
    "smoke-test-text",
    "evaluate-endpoint",
    "promote-endpoint",
    "teardown-run",
]


def states(run: Run) -> dict[str, str]:
    return {step.name: step.state for step in run.steps}


def content(run: Run, step: str, artifact: str) -> bytes:
    found = run.output(step, artifact)
    assert found is not None
    return storage.Blob.from_uri(found.uri, client=storage.Client()).download_as_bytes()


@pytest.mark.vllm
def test_every_step_succeeds(served_text: Served) -> None:
    run = states(served_text.run)
    assert {name: run.get(name) for name in STEPS} == dict.fromkeys(STEPS, "SUCCEEDED")


@pytest.mark.vllm
@pytest.mark.parity("local cloud only")  # the image model is the demo's own
def test_a_text_model_gets_no_image_test_and_an_image_model_does(served_text: Served, served_image: Served) -> None:
    assert states(served_text.run).get("smoke-test-image") in (None, "SKIPPED", "NOT_TRIGGERED")
    assert states(served_image.run)["smoke-test-image"] == "SUCCEEDED"


@pytest.mark.vllm
@pytest.mark.parity("local cloud only")  # the image model is the demo's own
def test_the_answers_are_recorded(served_text: Served, served_image: Served) -> None:
    text: list[dict[str, Any]] = json.loads(content(served_text.run, "smoke-test-text", "answers"))
    image: list[dict[str, Any]] = json.loads(content(served_image.run, "smoke-test-image", "answers"))
    assert {answer["method"] for answer in text} == {"predict", "predict, raw_response", "chat completions"}
    assert {answer["method"] for answer in image} == {"predict, chatCompletions", "chat completions"}
    assert all(answer["text"].strip() for answer in text + image)
    assert "car" in " ".join(answer["text"].lower() for answer in text)


@pytest.mark.vllm
def test_the_evaluation_leaves_figures_and_a_report(served_text: Served) -> None:
    evaluation = json.loads(content(served_text.run, "evaluate-endpoint", "evaluation"))
    report = content(served_text.run, "evaluate-endpoint", "report").decode()
    metrics = served_text.run.output("evaluate-endpoint", "metrics")
    assert metrics is not None
    assert 0.2 <= metrics.metadata["exact_match"] <= 1
    assert metrics.metadata["time_to_first_token_p95_seconds"] > 0
    assert metrics.metadata["tokens_per_second_p50"] > 0
    assert evaluation["deployment"] == served_text.deployment.name
    assert "<svg" in report
    assert served_text.deployment.name in report


@pytest.mark.vllm
@pytest.mark.parity("local cloud only")  # the image model is the demo's own
def test_what_is_made_carries_labels_and_no_token(served_image: Served, demo_project: DemoProject) -> None:
    endpoint = endpoint_client(REGION).get_endpoint(name=served_image.endpoint)
    model = model_client(REGION).get_model(name=served_image.model)
    run_id = demo_project.runs and served_image.run.name.rpartition("/")[2]
    for labels in (endpoint.labels, model.labels):
        assert labels["managed-by"] == "vertex-vllm"
        assert labels["vertex-vllm-deployment"] == served_image.deployment.name
        assert labels["vertex-vllm-run"] == run_id
    assert endpoint.labels["vertex-vllm-stage"] == "live"
    assert "live" in model.version_aliases
    assert {variable.name for variable in model.container_spec.env} == {"MODEL_ID", "DEPLOY_SOURCE", "HF_HUB_OFFLINE"}
    assert demo_project.token not in str(model)


def test_a_second_run_finds_what_is_there(served_small: Served) -> None:
    project = served_small.project
    bucket = storage.Client().bucket(project.submission("deploy", served_small.deployment).parameters["bucket"])
    before = {blob.name: blob.generation for blob in bucket.list_blobs(prefix="models/")}
    again = project.run("deploy", served_small.deployment, keep_endpoint=True)
    assert again.state == "SUCCEEDED"
    endpoint, model = again.output("deploy-model", "endpoint"), again.output("upload-model", "model")
    assert endpoint is not None
    assert model is not None
    assert endpoint.metadata["resourceName"] == served_small.endpoint
    assert model.metadata["resourceName"] == served_small.model
    assert {blob.name: blob.generation for blob in bucket.list_blobs(prefix="models/")} == before
    deployed = endpoint_client(REGION).get_endpoint(name=served_small.endpoint).deployed_models
    assert len(deployed) == 1


@pytest.mark.parity("not yet", machine_hours=2.0)
def test_a_run_that_keeps_nothing_leaves_the_live_endpoint_as_it_is(served_small: Served) -> None:
    live = endpoint_client(REGION).get_endpoint(name=served_small.endpoint)
    before = [deployed.id for deployed in live.deployed_models]
    # A run of another config deploys its own endpoint.
    run = served_small.project.run("deploy", served_small.deployment, keep_endpoint=False, max_num_seqs=4)
    assert run.state == "SUCCEEDED"
    assert states(run).get("promote-endpoint") in (None, "NOT_TRIGGERED")
    own = run.output("deploy-model", "endpoint")
    assert own is not None
    assert own.metadata["resourceName"] != served_small.endpoint
    parent = served_small.endpoint.rpartition("/endpoints/")[0]
    (left,) = [
        endpoint
        for endpoint in endpoint_client(REGION).list_endpoints(parent=parent)
        if endpoint.labels.get("vertex-vllm-deployment") == served_small.deployment.name
    ]
    assert (left.name, left.labels["vertex-vllm-stage"]) == (served_small.endpoint, "live")
    assert [deployed.id for deployed in left.deployed_models] == before


def test_an_endpoint_that_exists_can_be_evaluated(served_small: Served) -> None:
    run = served_small.project.run("evaluate", served_small.deployment, endpoint=served_small.endpoint)
    assert run.state == "SUCCEEDED"
    assert run.output("evaluate-endpoint", "report") is not None


def test_a_missed_threshold_fails_the_run_and_leaves_the_report(served_small: Served) -> None:
    run = served_small.project.run(
        "evaluate", served_small.deployment, endpoint=served_small.endpoint, min_exact_match=1.0
    )
    assert run.state == "FAILED"
    assert "exact" in next(step.error for step in run.steps if step.name == "evaluate-endpoint")
    name = run.name.rpartition("/")[2]
    recorded = aiplatform.ExperimentRun(
        name, experiment=served_small.deployment.name, project=served_small.project.id, location=REGION
    )
    assert (recorded.get_state(), recorded.get_params()["passed"]) == ("FAILED", 0)
