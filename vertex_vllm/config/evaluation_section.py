"""Section of a config: the questions, load and thresholds that an endpoint must pass."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from vertex_vllm.config import shapes
from vertex_vllm.config.load_section import Load, check_enough
from vertex_vllm.config.section import PipelineParameter, Section

Probability = Annotated[float, Field(ge=0, le=1)]


class Thresholds(Section):
    """Figures that the evaluation must reach; a miss fails the run, which deletes the endpoint. 0: no threshold."""

    min_exact_match: Probability = Field(default=0.0, description="Least share of right answers, 0 to 1.")
    max_p95_time_to_first_token_seconds: float = Field(
        default=0.0, ge=0, description="Longest 95th percentile of the time to the first token, in seconds. 0: any."
    )
    min_tokens_per_second: float = Field(
        default=0.0, ge=0, description="Least median of output tokens per second of one answer. 0: any."
    )


class Evaluation(Section):
    """Questions and load that the endpoint must pass before it is promoted."""

    concurrency: int = Field(
        default=4,
        ge=1,
        le=256,
        description="Questions sent at once; the planner leaves room in the cache for as many full requests.",
    )
    suite: str = Field(
        default="text",
        max_length=1024,
        pattern=shapes.SUITE,
        description="Questions: text, image, text-and-image, text-small, image-small, a YAML file or gs:// of one.",
    )
    items: Annotated[int, PipelineParameter("suite_items")] = Field(
        default=0, ge=0, le=20_000, description="Questions of the suite that are asked. 0: all."
    )
    levels: Annotated[list[Annotated[int, Field(ge=1, le=4)]], PipelineParameter("suite_levels")] = Field(
        default_factory=list,
        max_length=4,
        description="Difficulty levels that are asked, 1 for 135M parameters to 4 for 70B; empty: all.",
    )
    baseline: str = Field(
        default="promoted",
        max_length=1024,
        pattern=shapes.BASELINE,
        description="Run to compare answers with: promoted (the deployment's last), none, or gs:// of a result.",
    )
    allowed_regression: Probability = Field(
        default=0.05, description="Share of right answers that may be lost against the baseline, 0 to 1."
    )
    allowed_changed_answers: Probability = Field(
        default=0.1, description="Share of answers that may change if the baseline has the same commit, 0 to 1. 1: any."
    )
    confidence: float = Field(
        default=0.95, ge=0.5, le=0.9999, description="Confidence of the comparison, 0.5 to 0.9999."
    )
    max_requests: int = Field(default=0, ge=0, description="Questions and load end after so many requests. 0: never.")
    max_tokens: int = Field(
        default=0, ge=0, description="Questions and load end after so many tokens of prompts and answers. 0: never."
    )
    max_minutes: float = Field(
        default=60.0, ge=0, description="Questions and load end after so many minutes. 0: never."
    )
    max_usd: float = Field(
        default=0.0, ge=0, description="Questions and load end when the machine has cost so many US dollars. 0: never."
    )
    experiment: str = Field(
        default="",
        pattern=shapes.EXPERIMENT,
        description="Vertex experiment that records the evaluation; empty: the deployment's name; none: not recorded.",
    )
    load: Load = Field(default_factory=Load, description="Requests that measure the speed, after the questions.")
    thresholds: Thresholds = Field(default_factory=Thresholds, description="Figures that the evaluation must reach.")

    @field_validator("thresholds")
    @classmethod
    def _can_be_decided(cls, thresholds: Thresholds, info: ValidationInfo) -> Thresholds:
        load = info.data.get("load")
        if load is not None and thresholds.max_p95_time_to_first_token_seconds:
            check_enough(load.requests, 95.0, "load.requests must be")
        return thresholds
