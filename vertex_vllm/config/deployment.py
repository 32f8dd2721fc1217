"""`Deployment`: what one file in `configs/` says. Parameters, defaults, descriptions and the schema follow from it."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vertex_vllm.config import shapes
from vertex_vllm.config.evaluation_section import Evaluation
from vertex_vllm.config.field_checks import holds_no_token, is_lifetime, is_no_token
from vertex_vllm.config.schedule import Schedule
from vertex_vllm.config.section import NOT_A_PARAMETER, PipelineParameter, Section
from vertex_vllm.config.trust import Licences, Mirror

# The largest safe `--gpu-memory-utilization`: above 0.9963 an empty H200 refused to start vLLM.
MemoryShare = Annotated[float, Field(gt=0, le=0.99)]


class Model(Section):
    """The open model to serve."""

    id: Annotated[str, PipelineParameter("model_id")] = Field(
        pattern=shapes.MODEL_ID, description="Hugging Face repo, owner/name."
    )
    revision: str = Field(default="main", pattern=shapes.REVISION, description="Branch, tag or commit of the repo.")


class GoogleCloud(Section):
    """Project, region, bucket and service accounts."""

    project: Annotated[str, PipelineParameter(description="Project id.")] = Field(
        default="", pattern=shapes.PROJECT, description="Project id. Default: --project, then GOOGLE_CLOUD_PROJECT."
    )
    region: str = Field(
        default="us-central1", pattern=shapes.REGION, description="Region of endpoint, model and bucket."
    )
    bucket: str = Field(
        default="",
        pattern=shapes.BUCKET,
        description="Bucket for weights and measurements. Default: PROJECT-vertex-vllm-REGION, made if missing.",
    )
    serving_service_account: str = Field(
        default="",
        pattern=shapes.SERVICE_ACCOUNT,
        description="Service account of the container. Default: the project's vertex-vllm-serving.",
    )
    pipeline_service_account: Annotated[str, NOT_A_PARAMETER] = Field(
        default="",
        pattern=shapes.SERVICE_ACCOUNT,
        description="Service account of the pipeline's steps. Default: the project's vertex-vllm-pipeline.",
    )


class Serving(Section):
    """Settings of the endpoint. The planner decides about fields that are left out."""

    machine_type: str = Field(
        default="", max_length=63, description="Vertex AI machine type. Default: the planner's choice."
    )
    accelerator_type: str = Field(
        default="", max_length=63, description="Accelerator, as in Vertex AI's AcceleratorType. Default: the machine's."
    )
    accelerator_count: int = Field(
        default=0, ge=0, le=16, description="Accelerators per replica. 0: all of the machine."
    )
    image: str = Field(
        default="",
        max_length=512,
        pattern=shapes.IMAGE,
        description="Container image with vLLM. Default: the planner's choice.",
    )
    max_model_len: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Longest prompt and answer together, in tokens. 0: the model's, else the longest that is useful.",
    )
    max_num_seqs: int = Field(
        default=0, ge=0, le=4096, description="Sequences that vLLM works on at once. 0: the planner's choice."
    )
    gpu_memory_utilization: MemoryShare = Field(
        default=0.9, description="Share of each accelerator's memory that vLLM may take, 0 to 0.99."
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto", description="Number format that the weights are computed in. auto: the model's own."
    )
    trust_remote_code: bool = Field(
        default=False,
        description="Run the repo's own Python code, which some models need; revision must then be a commit.",
    )
    tools: bool = Field(
        default=False,
        description="Answer with tool calls, read by the parser of the model's family; thoughts are separated too.",
    )
    forbid_advisories: bool = Field(
        default=False,
        description="Refuse an image whose vLLM has a known security advisory that touches the model.",
    )
    media_domains: list[Annotated[str, Field(max_length=253, pattern=shapes.DOMAIN)]] = Field(
        default_factory=list,
        max_length=32,
        description="Hosts of pictures that requests may name; empty: any. Needs a vLLM that can restrict them.",
    )
    extra_args: list[
        Annotated[str, Field(max_length=4096, pattern=shapes.ARGUMENT), AfterValidator(holds_no_token)]
    ] = Field(
        default_factory=list,
        max_length=64,
        description="Further vLLM arguments, for example --enable-lora; they override the planner's.",
    )
    min_replica_count: int = Field(default=1, ge=1, le=1000, description="Replicas that always run.")
    max_replica_count: int = Field(
        default=1, ge=1, le=1000, validate_default=True, description="Most replicas; the quota must cover them."
    )
    fallbacks: list[Annotated[str, Field(max_length=127, pattern=shapes.PLACE)]] = Field(
        default_factory=list,
        max_length=8,
        description="REGION/MACHINE_TYPE to deploy to, in this order, when the machine is out of stock.",
    )
    spot: bool = Field(default=False, description="Cheaper machines that Google may take back at any time.")
    # "Use Flex-start VMs with inference" (Vertex AI), 2026-11-30: at most seven days.
    flex_start_hours: int = Field(
        default=0,
        ge=0,
        le=168,
        description="Hours on cheaper flex-start machines; then Vertex AI undeploys the model. 0: ordinary ones.",
    )
    dedicated_endpoint: bool = Field(
        default=True, description="Endpoint with a DNS name of its own: longer requests, larger payloads, streaming."
    )
    request_timeout_seconds: int = Field(
        default=1800, ge=1, le=3600, description="Longest time for one request on a dedicated endpoint."
    )
    # A container's deployment timeout is limited to 2 hours by the API.
    deployment_timeout_seconds: int = Field(
        default=7200, ge=60, le=7200, description="Longest time until the container must be healthy."
    )

    @field_validator("flex_start_hours")
    @classmethod
    def _one_kind_of_machine(cls, hours: int, info: ValidationInfo) -> int:
        if hours and info.data.get("spot"):
            raise PydanticCustomError("kind_of_machine", "cannot be set together with spot: choose one of the two")
        return hours

    @field_validator("max_replica_count")
    @classmethod
    def _not_fewer_than_least(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("min_replica_count", most)
        if most < least:
            raise PydanticCustomError(
                "replica_counts", "must be at least min_replica_count, which is {least}", {"least": least}
            )
        return most

    @property
    def preemptible(self) -> bool:
        """Whether the accelerators count against the preemptible quota ("Use Flex-start VMs with inference")."""
        return self.spot or bool(self.flex_start_hours)


class Deployment(Section):
    """One open model on one Vertex AI endpoint."""

    name: Annotated[str, PipelineParameter("deployment")] = Field(
        pattern=shapes.DEPLOYMENT_NAME,
        description="Name of the deployment: in names and labels of all that its runs create.",
    )
    model: Model = Field(description="The open model to serve.")
    google_cloud: GoogleCloud = Field(
        default_factory=GoogleCloud, description="Project, region, bucket and service accounts."
    )
    hf_token_secret: Annotated[
        str,
        AfterValidator(is_no_token),
        PipelineParameter(
            description="Secret Manager version with the Hub token, projects/P/secrets/S/versions/V; empty: anonymous."
        ),
    ] = Field(
        default="",
        pattern=shapes.HF_TOKEN_SECRET,
        description=(
            "Secret Manager secret that holds the Hugging Face token: its id, or projects/P/secrets/S/versions/V. "
            "Default: anonymous."
        ),
    )
    serving: Serving = Field(
        default_factory=Serving,
        description="Settings of the endpoint; the planner decides about fields that are left out.",
    )
    evaluation: Evaluation = Field(
        default_factory=Evaluation, description="Questions and load that the endpoint must pass before it is promoted."
    )
    licences: Licences = Field(default_factory=Licences, description="Licences under which a model may be served.")
    mirror: Mirror = Field(default_factory=Mirror, description="How the weights get from the Hub to the bucket.")
    keep_endpoint: bool = Field(
        default=True,
        description="Keep the endpoint when the run succeeds. false: it is torn down after the evaluation.",
    )
    owner: str = Field(
        default="",
        pattern=shapes.OWNER,
        description="Team or person who answers for the deployment: a label on all that its runs create.",
    )
    ttl: Annotated[str, AfterValidator(is_lifetime)] = Field(
        default="",
        max_length=16,
        description="Lifetime of all that a run creates, for example 8h or 7d; then a sweep removes it. "
        "Default: for ever.",
    )
    deploy_on_change: Annotated[bool, NOT_A_PARAMETER] = Field(
        default=False,
        description="CI deploys after a change of this file, a pipeline or the library. false: CI only plans.",
    )
    schedules: Annotated[list[Schedule], NOT_A_PARAMETER] = Field(
        default_factory=list,
        max_length=16,
        description="Pipelines that Vertex AI starts at given times; `vertex-vllm schedule apply` creates them.",
    )

    @field_validator("schedules")
    @classmethod
    def _names_of_their_own(cls, schedules: list[Schedule]) -> list[Schedule]:
        names = [schedule.name for schedule in schedules]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise PydanticCustomError("names", "two are named {name}", {"name": repeated[0]})
        return schedules

    @property
    def config_hash(self) -> str:
        """Ten hexadecimal digits that change whenever the config asks to serve something else.

        A plan, its run, the endpoint, the Model version and all labels carry this hash. Fields that change nothing
        about the served model do not count: lifetime, owner, accounts, bucket, thresholds, schedules. A field counts
        only if it differs from its default, so a config from before a new field keeps its hash and its endpoint.
        """
        asked = {
            "name": self.name,
            "model": self.model.model_dump(mode="json"),
            "region": self.google_cloud.region,
            "serving": self.serving.model_dump(mode="json", exclude_defaults=True),
            "concurrency": self.evaluation.concurrency,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]
