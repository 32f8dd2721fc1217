"""`Deployment`: what one file in `configs/` says. Parameters, defaults, descriptions and the schema follow from it."""

import hashlib
import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vertex_vllm.config import shapes
from vertex_vllm.config.cron import cron_fault, is_time_zone
from vertex_vllm.config.section import Section
from vertex_vllm.config.trust import Licences, Mirror
from vertex_vllm.errors import InputError
from vertex_vllm.lifecycle import expiry


def _is_no_token(secret: str) -> str:
    if re.fullmatch(shapes.HF_TOKEN, secret):
        raise PydanticCustomError(
            "looks_like_token",
            "looks like a token itself. Put it into Secret Manager and name the secret; revoke it if others saw it",
        )
    return secret


def _holds_no_token(argument: str) -> str:
    if re.search(shapes.HF_TOKEN_WITHIN, argument):
        raise PydanticCustomError(
            "holds_token",
            "holds what looks like a token, and whoever sees the Model reads its arguments. Serving needs none",
        )
    return argument


def _is_cron(cron: str) -> str:
    if fault := cron_fault(cron):
        raise PydanticCustomError("cron", "{fault}", {"fault": fault})
    return cron


def _is_time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise PydanticCustomError(
            "time_zone", "must be a name of the IANA time zone database, for example Europe/Zurich"
        )
    return name


def _is_moment(text: str) -> str:
    try:
        aware = not text or datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise PydanticCustomError(
            "moment", 'must be a time with its offset, in quotes, for example "2030-01-31T08:00:00Z"'
        )
    return text


def _is_lifetime(ttl: str) -> str:
    try:
        expiry.lifetime(ttl)
    except InputError:
        raise PydanticCustomError("ttl", "must be {meaning}", {"meaning": expiry.MEANING}) from None
    return ttl


Probability = Annotated[float, Field(ge=0, le=1)]
# What `--gpu-memory-utilization` takes with certainty: above 0.9963 an empty H200 refused to start vLLM.
MemoryShare = Annotated[float, Field(gt=0, le=0.99)]


class Model(Section):
    """The open model to serve."""

    id: str = Field(pattern=shapes.MODEL_ID, description="Hugging Face repo, owner/name.")
    revision: str = Field(default="main", pattern=shapes.REVISION, description="Branch, tag or commit of the repo.")


class GoogleCloud(Section):
    """Where it runs, and as whom."""

    project: str = Field(
        default="", pattern=shapes.PROJECT, description="Project id. Default: --project, then GOOGLE_CLOUD_PROJECT."
    )
    region: str = Field(
        default="us-central1", pattern=shapes.REGION, description="Region of endpoint, model and bucket."
    )
    bucket: str = Field(
        default="",
        pattern=shapes.BUCKET,
        description="Bucket for weights. Default: PROJECT-vertex-vllm-REGION, made if missing.",
    )
    serving_service_account: str = Field(
        default="",
        pattern=shapes.SERVICE_ACCOUNT,
        description="Service account of the container. Default: the project's vertex-vllm-serving.",
    )
    pipeline_service_account: str = Field(
        default="",
        pattern=shapes.SERVICE_ACCOUNT,
        description="Service account of the pipeline's steps. Default: the project's vertex-vllm-pipeline.",
    )


class Serving(Section):
    """How it is served. What is left out, the planner decides."""

    machine_type: str = Field(
        default="", max_length=63, description="Vertex AI machine type. Default: the planner's choice."
    )
    accelerator_type: str = Field(
        default="", max_length=63, description="Accelerator, as in Vertex AI's AcceleratorType. Default: the machine's."
    )
    accelerator_count: int = Field(
        default=0, ge=0, le=16, description="Accelerators a replica. 0: as many as the machine has."
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
        description="Longest prompt and answer together, in tokens. 0: the planner's choice.",
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
        description="Answer with tool calls, read by the parser of the model's family; thoughts are told apart too.",
    )
    forbid_advisories: bool = Field(
        default=False,
        description="Refuse an image whose vLLM has a known security advisory that touches the model.",
    )
    media_domains: list[Annotated[str, Field(max_length=253, pattern=shapes.DOMAIN)]] = Field(
        default_factory=list,
        max_length=32,
        description="Hosts that requests may name pictures on; empty: any. Needs a vLLM that can restrict them.",
    )
    extra_args: list[
        Annotated[str, Field(max_length=4096, pattern=shapes.ARGUMENT), AfterValidator(_holds_no_token)]
    ] = Field(
        default_factory=list,
        max_length=64,
        description="Further vLLM arguments, for example --enable-lora; they win over the planner's.",
    )
    min_replica_count: int = Field(default=1, ge=1, le=1000, description="Replicas that always run.")
    max_replica_count: int = Field(
        default=1, ge=1, le=1000, validate_default=True, description="Replicas at most; quota must cover them."
    )
    fallbacks: list[Annotated[str, Field(max_length=127, pattern=shapes.PLACE)]] = Field(
        default_factory=list,
        max_length=8,
        description="REGION/MACHINE_TYPE to take, in this order, when the machine is out of stock.",
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


class Thresholds(Section):
    """What the evaluation must reach; a miss fails the run and tears it down. 0 asks nothing."""

    min_exact_match: Probability = Field(default=0.0, description="Least share of right answers, 0 to 1.")
    max_p95_time_to_first_token_seconds: float = Field(
        default=0.0, ge=0, description="Longest 95th percentile of the time to the first token, in seconds. 0: any."
    )
    min_tokens_per_second: float = Field(
        default=0.0, ge=0, description="Least median of output tokens per second of one answer. 0: any."
    )


class Evaluation(Section):
    """How the endpoint is tried before it counts as deployed."""

    concurrency: int = Field(default=4, ge=1, le=256, description="Questions under way at once.")
    thresholds: Thresholds = Field(default_factory=Thresholds, description="What the evaluation must reach.")


class Schedule(Section):
    """A pipeline that is run again and again, with the deployment's parameters."""

    name: str = Field(pattern=shapes.SCHEDULE_NAME, description="Name of the schedule, of its own in the deployment.")
    cron: Annotated[str, AfterValidator(_is_cron)] = Field(
        max_length=256, description="When: minute hour day-of-month month day-of-week, for example 0 3 * * 1-5."
    )
    time_zone: Annotated[str, AfterValidator(_is_time_zone)] = Field(
        default="UTC", max_length=63, description="Time zone of the cron, for example Europe/Zurich."
    )
    pipeline: Literal["deploy", "evaluate", "mirror", "teardown"] = Field(
        default="deploy", description="What is run: the spec of that name."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, max_length=64, description="Parameters of the pipeline that differ from the deployment's."
    )
    start: Annotated[str, AfterValidator(_is_moment)] = Field(
        default="", description='No run before it, for example "2030-01-31T08:00:00Z". Default: at once.'
    )
    end: Annotated[str, AfterValidator(_is_moment)] = Field(
        default="", description='No run after it, for example "2030-12-31T20:00:00+01:00". Default: none.'
    )
    max_run_count: int | None = Field(default=None, ge=1, le=1_000_000, description="Runs in all. Default: any number.")

    @field_validator("end")
    @classmethod
    def _not_before_start(cls, end: str, info: ValidationInfo) -> str:
        start = info.data.get("start")
        if start and end and datetime.fromisoformat(end) <= datetime.fromisoformat(start):
            raise PydanticCustomError("moments", "must be after start, which is {start}", {"start": start})
        return end


class Deployment(Section):
    """One open model on one Vertex AI endpoint."""

    name: str = Field(pattern=shapes.DEPLOYMENT_NAME, description="Name of the deployment, on everything it makes.")
    model: Model = Field(description="The open model to serve.")
    hf_token_secret: Annotated[str, AfterValidator(_is_no_token)] = Field(
        default="",
        pattern=shapes.HF_TOKEN_SECRET,
        description=(
            "Secret Manager secret that holds the Hugging Face token: its id, or projects/P/secrets/S/versions/V. "
            "Default: anonymous."
        ),
    )
    google_cloud: GoogleCloud = Field(default_factory=GoogleCloud, description="Where it runs, and as whom.")
    serving: Serving = Field(default_factory=Serving, description="How it is served.")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="How the endpoint is tried.")
    licences: Licences = Field(default_factory=Licences, description="Licences under which a model may be served.")
    mirror: Mirror = Field(default_factory=Mirror, description="How the weights get from the Hub to the bucket.")
    keep_endpoint: bool = Field(
        default=True,
        description="The endpoint stays when the run succeeds; false: it is torn down after the evaluation.",
    )
    owner: str = Field(
        default="",
        pattern=shapes.OWNER,
        description="Team or person who answers for it, on everything it makes as a label.",
    )
    ttl: Annotated[str, AfterValidator(_is_lifetime)] = Field(
        default="",
        max_length=16,
        description="Time that what a run makes may live, for example 8h or 7d; then a sweep removes it. "
        "Default: for ever.",
    )
    deploy_on_change: bool = Field(
        default=False,
        description="CI deploys it when this file, a pipeline or the library changes. false: CI only plans it.",
    )
    schedules: list[Schedule] = Field(
        default_factory=list,
        max_length=16,
        description="Pipelines that `vertex-vllm schedule apply` has run again and again.",
    )

    @field_validator("schedules")
    @classmethod
    def _names_of_their_own(cls, schedules: list[Schedule]) -> list[Schedule]:
        names = [schedule.name for schedule in schedules]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise PydanticCustomError("names", "two are named {name}", {"name": repeated[0]})
        return schedules

    @property
    def content_hash(self) -> str:
        """Ten hexadecimal digits that change whenever a run would be given something else."""
        content = self.model_dump(mode="json", exclude={"deploy_on_change", "schedules"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
