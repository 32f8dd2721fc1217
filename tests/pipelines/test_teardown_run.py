"""The exit handler's decision, without a pipeline: how a run ended decides whether its resources are deleted."""

import pytest
from google.cloud import storage
from kfp import dsl

from components.teardown_run import teardown_run
from localcloud.daemon import Connection
from vertex_vllm.project_names import default_bucket
from vertex_vllm.vertex_ai.clients import endpoint_client

REGION = "us-central1"


@pytest.mark.parametrize(
    ("state", "left"),
    # COMPLETE is the success of older versions of Kubeflow Pipelines.
    [("SUCCEEDED", 1), ("COMPLETE", 1), ("FAILED", 0), ("CANCELLED", 0)],
)
def test_an_endpoint_that_is_to_stay_stays_when_the_run_has_succeeded(
    cloud: Connection, project: str, state: str, left: int
) -> None:
    storage.Client(project=project).create_bucket(default_bucket(project, REGION), location=REGION)
    client, parent = endpoint_client(REGION), f"projects/{project}/locations/{REGION}"
    labels = {"managed-by": "vertex-vllm", "vertex-vllm-deployment": "small", "vertex-vllm-run": "run-1"}
    client.create_endpoint(parent=parent, endpoint={"display_name": "small", "labels": labels}).result()
    status = dsl.PipelineTaskFinalStatus(state, f"{parent}/pipelineJobs/run-1", "exit-handler-1", 0, "")
    teardown_run.python_func(
        project=project,
        region=REGION,
        fallbacks=[],
        bucket="",
        deployment="small",
        run_id="run-1",
        keep_endpoint=True,
        status=status,
    )
    assert len(list(client.list_endpoints(parent=parent))) == left
