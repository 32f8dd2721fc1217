"""Whole requests to Vertex AI, as values."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.cloud import aiplatform_v1beta1 as vertex
from google.protobuf import duration_pb2

from tests.vertex_vllm.plans import serving_plan
from vertex_vllm.labels import Owner
from vertex_vllm.serving.requests import (
    deploy_request,
    endpoint_request,
    model_garden_name,
    offline_environment,
    upload_request,
)
from vertex_vllm.vertex_ai.resource_names import ResourceName

IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve@sha256:" + "5e" * 32
PLAN = serving_plan(image=IMAGE, image_tag="20250710_0916_RC01")
OWNER = Owner("llama-8b", "deploy-20261122", responsible="search-team", expires=datetime(2026, 11, 25, 12, tzinfo=UTC))
LABELS = {
    "managed-by": "vertex-vllm",
    "vertex-vllm-deployment": "llama-8b",
    "vertex-vllm-run": "deploy-20261122",
    "vertex-vllm-config": "0123456789",
    "vertex-vllm-owner": "search-team",
    "vertex-vllm-expires": "1795608000",
}
DESCRIPTION = (
    "meta-llama/Llama-3.1-8B-Instruct at commit 0e9e39f249a16976918f6564b8830bc894c89659, served by vLLM 0.9.2"
)
MODEL = vertex.Model(
    display_name="llama-8b",
    version_description=DESCRIPTION,
    version_aliases=[f"config-{PLAN.served_id}"],
    labels={**LABELS, "vertex-vllm-image-tag": "20250710_0916_rc01"},
    container_spec=vertex.ModelContainerSpec(
        image_uri=IMAGE,
        args=[
            "python",
            "-m",
            "vllm.entrypoints.api_server",
            "--port=8080",
            "--max-model-len=4096",
            "--model=gs://weights/models/llama",
        ],
        env=[
            vertex.EnvVar(name="MODEL_ID", value="meta-llama/Llama-3.1-8B-Instruct"),
            vertex.EnvVar(name="DEPLOY_SOURCE", value="vertex-vllm"),
            vertex.EnvVar(name="HF_HUB_OFFLINE", value="1"),
        ],
        ports=[vertex.Port(container_port=8080)],
        predict_route="/generate",
        health_route="/ping",
        shared_memory_size_mb=16384,
        deployment_timeout=duration_pb2.Duration(seconds=7200),
    ),
    base_model_source=vertex.Model.BaseModelSource(
        model_garden_source=vertex.ModelGardenSource(public_model_name="publishers/meta/models/llama3_1")
    ),
)


def test_the_first_upload_makes_the_deployments_model() -> None:
    assert upload_request("p", PLAN, "gs://weights/models/llama", OWNER) == vertex.UploadModelRequest(
        parent="projects/p/locations/us-central1", model_id="vllm-llama-8b", model=MODEL
    )


@pytest.mark.parametrize(
    ("arguments", "offline"),
    [
        (["--enable-lora"], True),
        (["--tokenizer=other/repo"], False),
        (["--speculative_config.model", "other/draft"], False),
        (['--speculative-config={"model": "other/draft"}'], False),
        (["--hf_overrides.mm_vision_tower=other/tower"], False),
    ],
    ids=str,
)
def test_the_container_reaches_the_hub_only_where_an_argument_names_another_repository(
    arguments: list[str], offline: bool
) -> None:
    environment = [vertex.EnvVar(name="HF_HUB_OFFLINE", value="1")] if offline else []
    assert offline_environment([*PLAN.args, *arguments]) == environment


def test_a_later_upload_adds_a_version_to_it() -> None:
    parent_model = "projects/p/locations/us-central1/models/vllm-llama-8b"
    request = upload_request("p", PLAN, "gs://weights/models/llama", OWNER, parent_model=parent_model)
    assert request == vertex.UploadModelRequest(
        parent="projects/p/locations/us-central1", parent_model=parent_model, model=MODEL
    )


@pytest.mark.parametrize("dedicated", [True, False])
def test_the_endpoint_has_an_id_that_a_later_run_can_work_out(dedicated: bool) -> None:
    plan = replace(PLAN, dedicated_endpoint=dedicated)
    connection = vertex.ClientConnectionConfig(inference_timeout=duration_pb2.Duration(seconds=1800))
    assert endpoint_request("p", plan, OWNER) == vertex.CreateEndpointRequest(
        parent="projects/p/locations/us-central1",
        endpoint_id=f"vllm-llama-8b-{plan.served_id}",
        endpoint=vertex.Endpoint(
            display_name="llama-8b",
            description=DESCRIPTION,
            labels=LABELS,
            dedicated_endpoint_enabled=dedicated,
            client_connection_config=connection if dedicated else None,
        ),
    )


ENDPOINT = "projects/p/locations/us-central1/endpoints/vllm-llama-8b"
VERSION = ResourceName("p", "us-central1", "models", "vllm-llama-8b", "3")


def deployed_model(resources: vertex.DedicatedResources) -> vertex.DeployModelRequest:
    return vertex.DeployModelRequest(
        endpoint=ENDPOINT,
        deployed_model=vertex.DeployedModel(
            id="3050818852",
            model="projects/p/locations/us-central1/models/vllm-llama-8b@3",
            display_name="llama-8b",
            dedicated_resources=resources,
            service_account="serving@p.iam.gserviceaccount.com",
        ),
        traffic_split={"0": 100},
    )


ONE_L4 = vertex.MachineSpec(
    machine_type="g2-standard-12", accelerator_type=vertex.AcceleratorType.NVIDIA_L4, accelerator_count=1
)


def test_one_replica_is_deployed_without_autoscaling() -> None:
    request = deploy_request(PLAN, ENDPOINT, VERSION, "serving@p.iam.gserviceaccount.com")
    assert request == deployed_model(
        vertex.DedicatedResources(machine_spec=ONE_L4, min_replica_count=1, max_replica_count=1)
    )


def test_more_replicas_at_most_than_at_least_scale_on_vllms_queue() -> None:
    plan = replace(
        PLAN,
        machine_type="a3-highgpu-8g",
        accelerator_type="NVIDIA_H100_80GB",
        accelerator_count=8,
        spot=True,
        min_replica_count=1,
        max_replica_count=4,
    )
    request = deploy_request(plan, ENDPOINT, VERSION, "serving@p.iam.gserviceaccount.com")
    assert request == deployed_model(
        vertex.DedicatedResources(
            machine_spec=vertex.MachineSpec(
                machine_type="a3-highgpu-8g",
                accelerator_type=vertex.AcceleratorType.NVIDIA_H100_80GB,
                accelerator_count=8,
            ),
            min_replica_count=1,
            max_replica_count=4,
            spot=True,
            autoscaling_metric_specs=[
                vertex.AutoscalingMetricSpec(
                    metric_name="prometheus.googleapis.com/vertex_vllm_num_requests_waiting", target=5
                )
            ],
        )
    )


def test_flex_start_machines_are_asked_for_with_the_time_that_they_may_run() -> None:
    request = deploy_request(replace(PLAN, flex_start_hours=8), ENDPOINT, VERSION, "serving@p.iam.gserviceaccount.com")
    assert request == deployed_model(
        vertex.DedicatedResources(
            machine_spec=ONE_L4,
            min_replica_count=1,
            max_replica_count=1,
            flex_start=vertex.FlexStart(max_runtime_duration=duration_pb2.Duration(seconds=8 * 3600)),
        )
    )


def test_a_plan_is_named_by_its_config_and_by_each_decision_but_not_by_reasons() -> None:
    assert PLAN.served_id.startswith("0123456789-")
    assert replace(PLAN, reasons={"chat": "another"}, usd_per_hour=2.0).served_id == PLAN.served_id
    others = (replace(PLAN, flex_start_hours=8), replace(PLAN, commit="f" * 40), replace(PLAN, args=()))
    assert len({PLAN.served_id, *(other.served_id for other in others)}) == 4


def test_a_shared_endpoint_is_asked_for_no_connection_of_its_own() -> None:
    request = endpoint_request("p", replace(PLAN, dedicated_endpoint=False), OWNER)
    assert not request.endpoint.dedicated_endpoint_enabled
    assert "client_connection_config" not in request.endpoint


def test_an_image_of_an_unknown_vllm_is_scaled_by_its_machine() -> None:
    request = deploy_request(replace(PLAN, vllm_version="unknown", max_replica_count=4), ENDPOINT, VERSION, "")
    assert list(request.deployed_model.dedicated_resources.autoscaling_metric_specs) == [
        vertex.AutoscalingMetricSpec(
            metric_name="aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle", target=60
        )
    ]


def test_a_machine_without_accelerators_asks_for_none() -> None:
    plan = replace(PLAN, machine_type="n1-standard-8", accelerator_type="", accelerator_count=0)
    assert deploy_request(plan, ENDPOINT, VERSION, "").deployed_model.dedicated_resources.machine_spec == (
        vertex.MachineSpec(machine_type="n1-standard-8")
    )


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "publishers/meta/models/llama3_1"),
        ("meta-llama/Meta-Llama-3.1-405B-FP8", "publishers/meta/models/llama3_1"),
        ("meta-llama/Llama-3.2-11B-Vision", "publishers/meta/models/llama3-2"),
        ("meta-llama/Llama-3.3-70B-Instruct", "publishers/meta/models/llama3-3"),
        # Of Meta's, but no family of which Model Garden's name is known.
        ("meta-llama/Llama-2-7b-hf", "publishers/hf-meta-llama/models/llama-2-7b-hf"),
        # A Llama by somebody else is not Meta's.
        ("unsloth/Llama-3.1-8B", "publishers/hf-unsloth/models/llama-3.1-8b"),
        (
            "HuggingFaceTB/SmolLM2-135M-Instruct",
            "publishers/hf-huggingfacetb/models/smollm2-135m-instruct",
        ),
    ],
)
def test_model_gardens_name_of_a_hub_repo(model_id: str, name: str) -> None:
    assert model_garden_name(model_id) == name
