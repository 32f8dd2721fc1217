"""Section of a config: a pipeline that Vertex AI starts at the times of a cron."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vertex_vllm.config import shapes
from vertex_vllm.config.field_checks import is_cron, is_known_time_zone, is_moment
from vertex_vllm.config.section import Section


class Schedule(Section):
    """A pipeline that Vertex AI starts at the times of a cron, with the deployment's parameters."""

    name: str = Field(pattern=shapes.SCHEDULE_NAME, description="Name of the schedule, unique in the deployment.")
    cron: Annotated[str, AfterValidator(is_cron)] = Field(
        max_length=256,
        description="Times of the runs: minute hour day-of-month month day-of-week, for example 0 3 * * 1-5.",
    )
    time_zone: Annotated[str, AfterValidator(is_known_time_zone)] = Field(
        default="UTC", max_length=63, description="Time zone of the cron, for example Europe/Zurich."
    )
    pipeline: Literal["deploy", "evaluate", "mirror", "teardown"] = Field(
        default="deploy", description="Pipeline to start."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, max_length=64, description="Parameters of the pipeline that differ from the deployment's."
    )
    start: Annotated[str, AfterValidator(is_moment)] = Field(
        default="", description='Earliest time of a run, for example "2030-01-31T08:00:00Z". Default: at once.'
    )
    end: Annotated[str, AfterValidator(is_moment)] = Field(
        default="", description='Latest time of a run, for example "2030-12-31T20:00:00+01:00". Default: none.'
    )
    max_run_count: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Most runs of the schedule. Default: any number."
    )

    @field_validator("end")
    @classmethod
    def _not_before_start(cls, end: str, info: ValidationInfo) -> str:
        start = info.data.get("start")
        if start and end and datetime.fromisoformat(end) <= datetime.fromisoformat(start):
            raise PydanticCustomError("moments", "must be after start, which is {start}", {"start": start})
        return end
