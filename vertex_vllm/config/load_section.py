"""Section of a config: the load that an evaluation sends to the endpoint, and the latencies that it must keep."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vertex_vllm.catalog.load_lengths import parse_distribution
from vertex_vllm.catalog.load_profiles import DEFAULT_PROFILE, lengths_told, profile_names, slo_told
from vertex_vllm.config import shapes
from vertex_vllm.config.section import PipelineParameter, Section
from vertex_vllm.errors import InputError
from vertex_vllm.percentiles import enough_samples


def _is_profile(name: str) -> str:
    if name not in profile_names():
        raise PydanticCustomError("profile", "must be one of {names}", {"names": ", ".join(profile_names())})
    return name


def _is_distribution(text: str) -> str:
    if text:
        try:
            parse_distribution(text)
        except InputError as error:
            raise PydanticCustomError("distribution", "{fault}", {"fault": str(error).rstrip(".")}) from error
    return text


class Slo(Section):
    """Latencies that requests of the load must keep; 0 sets no limit."""

    time_to_first_token_seconds: Annotated[float, PipelineParameter("slo_time_to_first_token_seconds")] = Field(
        default=0.0, ge=0, description="Longest time to the first token, in seconds, at the SLO's percentile. 0: any."
    )
    inter_token_latency_seconds: Annotated[float, PipelineParameter("slo_inter_token_latency_seconds")] = Field(
        default=0.0, ge=0, description="Longest mean time of a further token, in seconds, at that percentile. 0: any."
    )
    end_to_end_seconds: Annotated[float, PipelineParameter("slo_end_to_end_seconds")] = Field(
        default=0.0, ge=0, description="Longest time of a whole answer, in seconds, at that percentile. 0: any."
    )
    percentile: Annotated[float, PipelineParameter("slo_percentile")] = Field(
        default=95.0, ge=50, le=99.9, description="Percentage of the requests that must keep every limit, 50 to 99.9."
    )

    @property
    def words(self) -> str:
        """As `slo_told` says it; empty: no limit is set."""
        latencies = self.time_to_first_token_seconds, self.inter_token_latency_seconds, self.end_to_end_seconds
        return slo_told(self.percentile, *latencies)

    @property
    def is_set(self) -> bool:
        return bool(self.time_to_first_token_seconds or self.inter_token_latency_seconds or self.end_to_end_seconds)


class Load(Section):
    """Requests that measure the endpoint's speed, after the questions."""

    rate: Annotated[float, PipelineParameter("load_rate")] = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="Requests per second, at random moments. 0: evaluation.concurrency requests at a time.",
    )
    profile: Annotated[str, PipelineParameter("load_profile"), AfterValidator(_is_profile)] = Field(
        default=DEFAULT_PROFILE,
        max_length=63,
        description=f"Lengths of prompts and answers: {', '.join(profile_names())}.",
    )
    prompt_tokens: Annotated[str, PipelineParameter("load_prompt_tokens"), AfterValidator(_is_distribution)] = Field(
        default="",
        max_length=127,
        description="Lengths of prompts, for example uniform(64, 512). Default: the profile's.",
    )
    answer_tokens: Annotated[str, PipelineParameter("load_answer_tokens"), AfterValidator(_is_distribution)] = Field(
        default="",
        max_length=127,
        description="Lengths of answers, for example lognormal(129, 0.8, 4, 1024). Default: the profile's.",
    )
    trace: Annotated[str, PipelineParameter("load_trace")] = Field(
        default="",
        max_length=1024,
        pattern=shapes.TRACE,
        description="gs:// object with recorded lengths and arrivals, which replaces the profile.",
    )
    slo: Slo = Field(default_factory=Slo, description="Latencies that the requests must keep.")
    find_highest_rate: bool = Field(
        default=False, description="Search the highest rate that keeps the SLO, and the rate of saturation."
    )
    requests: Annotated[int, PipelineParameter("load_requests")] = Field(
        default=0,
        ge=0,
        le=1_000_000,
        validate_default=True,
        description="Requests to measure. 0: as many as the gated percentile needs, at least 3 times the concurrency.",
    )
    max_minutes: Annotated[float, PipelineParameter("load_max_minutes")] = Field(
        default=30.0,
        gt=0,
        le=1440,
        description="The load ends after so many minutes; its figures then cover the requests so far.",
    )

    @property
    def lengths(self) -> str:
        """As `lengths_told` says it."""
        return lengths_told(self.profile, self.prompt_tokens, self.answer_tokens, self.trace)

    @field_validator("find_highest_rate")
    @classmethod
    def _has_slo(cls, search: bool, info: ValidationInfo) -> bool:
        slo = info.data.get("slo")
        if search and slo is not None and not slo.is_set:
            raise PydanticCustomError("search", "needs a limit in slo, time_to_first_token_seconds for example")
        return search

    @field_validator("requests")
    @classmethod
    def _are_enough(cls, requests: int, info: ValidationInfo) -> int:
        slo = info.data.get("slo")
        if slo is not None and slo.is_set:
            check_enough(requests, slo.percentile)
        return requests


def check_enough(requests: int, percentile: float, subject: str = "must be") -> None:
    """Raises PydanticCustomError where so many requests, 0 for as many as are needed, do not bound the percentile."""
    needed = enough_samples(percentile)
    if 0 < requests < needed:
        raise PydanticCustomError(
            "requests",
            "{subject} at least {needed}, or 0: fewer do not bound the {percentile}th percentile, which is gated",
            {"subject": subject, "needed": needed, "percentile": f"{percentile:g}"},
        )
