"""A pipeline of google-cloud-pipeline-components' own operators alone, submitted by Google's client."""

import uuid
from pathlib import Path

import pytest
import yaml
from google.cloud import aiplatform, storage
from google_cloud_pipeline_components.types import artifact_types
from google_cloud_pipeline_components.v1.endpoint import (
    EndpointCreateOp,
    EndpointDeleteOp,
    ModelDeployOp,
    ModelUndeployOp,
)
from google_cloud_pipeline_components.v1.model import ModelDeleteOp, ModelUploadOp
from kfp import compiler, dsl

from localcloud.daemon import Connection
from tests.accounts import grant, grant_on_bucket, make_account
from tests.localcloud.services.vertex.echo_deployments import ECHO_IMAGE, ECHO_ROW
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.parity("local cloud only")

REGION = "us-central1"


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def ask(endpoint: dsl.Input[dsl.Artifact]) -> None:
    from google.cloud import aiplatform

    answer = aiplatform.Endpoint(endpoint.metadata["resourceName"]).predict([{"prompt": "What is a car?"}])
    assert answer.predictions == [{"from": "echo", "instance": {"prompt": "What is a car?"}}], answer


@dsl.pipeline(name="google-components")
def serve_and_remove(project: str, location: str, display_name: str) -> None:
    container = dsl.importer(
        artifact_uri="gs://models/echo",
        artifact_class=artifact_types.UnmanagedContainerModel,
        metadata={"containerSpec": {"imageUri": ECHO_IMAGE, "predictRoute": "/generate", "healthRoute": "/ping"}},
    )
    uploaded = ModelUploadOp(
        project=project, location=location, display_name=display_name, unmanaged_container_model=container.output
    )
    endpoint = EndpointCreateOp(project=project, location=location, display_name=display_name)
    deployed = ModelDeployOp(
        model=uploaded.outputs["model"],
        endpoint=endpoint.outputs["endpoint"],
        traffic_split={"0": "100"},
        dedicated_resources_machine_type="g2-standard-12",
        dedicated_resources_accelerator_type="NVIDIA_L4",
        dedicated_resources_accelerator_count=1,
        dedicated_resources_min_replica_count=1,
        dedicated_resources_max_replica_count=1,
    )
    asked = ask(endpoint=endpoint.outputs["endpoint"]).after(deployed)
    undeployed = ModelUndeployOp(model=uploaded.outputs["model"], endpoint=endpoint.outputs["endpoint"]).after(asked)
    EndpointDeleteOp(endpoint=endpoint.outputs["endpoint"]).after(undeployed)
    ModelDeleteOp(model=uploaded.outputs["model"]).after(undeployed)


@pytest.mark.slow
def test_google_s_own_operators_serve_a_model_and_remove_it(cloud: Connection, project: str, tmp_path: Path) -> None:
    (cloud.state_dir / "images.yaml").write_text(yaml.safe_dump({"images": [ECHO_ROW]}))
    bucket = storage.Client(project=project).create_bucket(f"{project}-runs", location=REGION)
    spec = tmp_path / "google-components.yaml"
    compiler.Compiler().compile(serve_and_remove, str(spec))
    job = aiplatform.PipelineJob(
        display_name="google-components",
        template_path=str(spec),
        job_id=f"google-components-{uuid.uuid4().hex[:8]}",
        pipeline_root=f"gs://{bucket.name}",
        parameter_values={"project": project, "location": REGION, "display_name": "echo"},
        project=project,
        location=REGION,
        enable_caching=False,
    )
    # The roles that Vertex AI Pipelines' page on service accounts asks for.
    account = make_account(project, "pipelines")
    grant(project, "roles/aiplatform.user", account)
    grant_on_bucket(bucket.name, "roles/storage.objectUser", account)
    job.submit(service_account=account)
    run = VertexEngine().watch(job.resource_name, lambda run: None)
    assert {step.name: step.state for step in run.steps} == dict.fromkeys(
        (
            *("importer", "model-upload", "endpoint-create", "model-deploy", "ask"),
            *("model-undeploy", "endpoint-delete", "model-delete"),
        ),
        "SUCCEEDED",
    ), run.error
    assert aiplatform.Endpoint.list(project=project, location=REGION) == []
    assert aiplatform.Model.list(project=project, location=REGION) == []
