"""Requests to Vertex AI as values: protobuf messages from a plan, an owner and the weights' prefix."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from google.cloud import aiplatform_v1beta1 as vertex
from google.protobuf import duration_pb2

from vertex_vllm.labels import IMAGE_TAG_LABEL, Owner, endpoint_resource_id, label_value, model_resource_id
from vertex_vllm.planning.autoscaling import scaling_metric
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.vertex_ai.resource_names import ResourceName

DEPLOY_SOURCE = "vertex-vllm"
# Arguments that may name a repository on the Hub besides the mirrored weights.
OTHER_REPOSITORIES = {
    "--tokenizer",
    "--hf-config-path",
    "--speculative-config",
    "--speculative-model",
    "--spec-model",
    "--generation-config",
    "--hf-overrides",
    "--lora-modules",
}

# Families that Model Garden lists under their own publisher: GoogleCloudPlatform/vertex-ai-samples @cc0d791,
# model_garden_pytorch_llama3_1_deployment.ipynb, …llama3_2_deployment.ipynb, model_garden_model_cohost.ipynb.
_META_FAMILIES = {"3.1": "llama3_1", "3.2": "llama3-2", "3.3": "llama3-3"}


def upload_request(
    project: str, plan: ServingPlan, model_uri: str, owner: Owner, *, parent_model: str = ""
) -> vertex.UploadModelRequest:
    """Upload of a version of the deployment's Model; it creates the Model unless `parent_model` names one."""
    model = vertex.Model(
        display_name=plan.deployment,
        version_description=f"{plan.model_id} at commit {plan.commit}, served by vLLM {plan.vllm_version}",
        version_aliases=[version_alias(plan)],
        labels={**_labels(plan, owner), IMAGE_TAG_LABEL: label_value(plan.image_tag)},
        container_spec=container_spec(plan, model_uri),
        base_model_source=vertex.Model.BaseModelSource(
            model_garden_source=vertex.ModelGardenSource(public_model_name=model_garden_name(plan.model_id))
        ),
    )
    parent = f"projects/{project}/locations/{plan.region}"
    if parent_model:
        return vertex.UploadModelRequest(parent=parent, parent_model=parent_model, model=model)
    return vertex.UploadModelRequest(parent=parent, model_id=model_resource_id(plan.deployment), model=model)


def container_spec(plan: ServingPlan, model_uri: str) -> vertex.ModelContainerSpec:
    """How Vertex starts the container.

    No `command`: that would replace the image's entry point, which copies `gs://` weights to local disk before it runs
    the args (GoogleCloudPlatform/vertex-ai-samples#3331). No token in `env`: the weights come from Cloud Storage.
    """
    return vertex.ModelContainerSpec(
        image_uri=plan.image,
        args=[*plan.args, f"--model={model_uri}"],
        env=[
            vertex.EnvVar(name="MODEL_ID", value=plan.model_id),
            vertex.EnvVar(name="DEPLOY_SOURCE", value=DEPLOY_SOURCE),
            *offline_environment(plan.args),
        ],
        ports=[vertex.Port(container_port=plan.port)],
        predict_route=plan.predict_route,
        health_route=plan.health_route,
        shared_memory_size_mb=plan.shared_memory_mb,
        deployment_timeout=duration_pb2.Duration(seconds=plan.deployment_timeout_seconds),
    )


def offline_environment(args: Sequence[str]) -> list[vertex.EnvVar]:
    """Variables that keep the container offline, unless an argument names another repository of the Hub."""
    options = {re.split("[.=]", text, maxsplit=1)[0].replace("_", "-") for text in args}
    named = options & OTHER_REPOSITORIES
    return [] if named else [vertex.EnvVar(name="HF_HUB_OFFLINE", value="1")]


def version_alias(plan: ServingPlan) -> str:
    """Alias by which a person finds the version of one plan: `models/ID@config-HASH-DIGITS`."""
    return f"config-{plan.served_id}"


def model_garden_name(model_id: str) -> str:
    """Model Garden's resource name of a Hub repo; chat completions are documented for models that have one."""
    organisation, _, name = model_id.lower().partition("/")
    version = re.match(r"(?:meta-)?llama-(3\.\d)", name)
    if organisation == "meta-llama" and version and version[1] in _META_FAMILIES:
        return f"publishers/meta/models/{_META_FAMILIES[version[1]]}"
    # Form for Hub repos: `DeployRequest.publisher_model_name` in the Vertex AI API.
    return f"publishers/hf-{organisation}/models/{name}"


def endpoint_request(project: str, plan: ServingPlan, owner: Owner) -> vertex.CreateEndpointRequest:
    return vertex.CreateEndpointRequest(
        parent=f"projects/{project}/locations/{plan.region}",
        endpoint_id=endpoint_resource_id(plan.deployment, plan.served_id),
        endpoint=vertex.Endpoint(
            display_name=plan.deployment,
            description=f"{plan.model_id} at commit {plan.commit}, served by vLLM {plan.vllm_version}",
            labels=_labels(plan, owner),
            dedicated_endpoint_enabled=plan.dedicated_endpoint,
            client_connection_config=_client_connection(plan),
        ),
    )


def _client_connection(plan: ServingPlan) -> vertex.ClientConnectionConfig | None:
    """None for a shared endpoint: it ends every request after 60 s (google-cloud-aiplatform 1.165.1, models.py)."""
    if not plan.dedicated_endpoint:
        return None
    timeout = duration_pb2.Duration(seconds=plan.request_timeout_seconds)
    return vertex.ClientConnectionConfig(inference_timeout=timeout)


def deploy_request(
    plan: ServingPlan, endpoint_name: str, model: ResourceName, service_account: str
) -> vertex.DeployModelRequest:
    """All of the endpoint's traffic to one model version on machines of its own.

    The deployed model's id follows from the version: of two requests for the same, Vertex AI refuses the second.
    """
    return vertex.DeployModelRequest(
        endpoint=endpoint_name,
        deployed_model=vertex.DeployedModel(
            id=deployed_model_id(model),
            model=str(model),
            display_name=plan.deployment,
            dedicated_resources=_dedicated_resources(plan),
            service_account=service_account,
        ),
        # "0" is the model that this request deploys.
        traffic_split={"0": 100},
    )


def deployed_model_id(model: ResourceName) -> str:
    """Id that a deploy of this model version asks for: 1 to 10 digits (`DeployedModel.id`)."""
    return str(int.from_bytes(hashlib.sha256(f"{model.id}@{model.version}".encode()).digest()[:8]) % 10**10)


def _dedicated_resources(plan: ServingPlan) -> vertex.DedicatedResources:
    machine = vertex.MachineSpec(machine_type=plan.machine_type)
    if plan.accelerator_count:
        machine.accelerator_type = vertex.AcceleratorType[plan.accelerator_type]
        machine.accelerator_count = plan.accelerator_count
    resources = vertex.DedicatedResources(
        machine_spec=machine,
        min_replica_count=plan.min_replica_count,
        max_replica_count=plan.max_replica_count,
        spot=plan.spot,
    )
    if plan.flex_start_hours:
        longest = duration_pb2.Duration(seconds=plan.flex_start_hours * 3600)
        resources.flex_start = vertex.FlexStart(max_runtime_duration=longest)
    metric = scaling_metric(plan.vllm_version, plan.args, plan.min_replica_count, plan.max_replica_count)
    if metric:
        spec = vertex.AutoscalingMetricSpec(metric_name=metric.name, target=metric.target)
        resources.autoscaling_metric_specs = [spec]
    return resources


def _labels(plan: ServingPlan, owner: Owner) -> dict[str, str]:
    return replace(owner, config_hash=plan.config_hash).labels
