"""The few calls that schedules need: listed, made, paused, resumed, deleted, or made equal to what is wanted."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from vertex_vllm.errors import ServiceError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.regional_hosts import vertex_ai_host
from vertex_vllm.runs.schedule_difference import (
    MAX_ACTIVE_RUNS,
    Change,
    ExistingSchedule,
    WantedSchedule,
    read_schedule,
)
from vertex_vllm.runs.vertex_engine import ensure_artifact_bucket, pipeline_job
from vertex_vllm.vertex_ai.resource_names import ResourceName

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import ScheduleServiceClient

_SERVICE = "Vertex AI schedules"


def list_schedules(project: str, region: str) -> tuple[ExistingSchedule, ...]:
    """All of ours, the oldest first. Raises ServiceError."""
    parent = f"projects/{project}/locations/{region}"
    # Whose a schedule is stands on the runs that it makes, which the filter does not reach into.
    request = {"parent": parent, "filter": "create_pipeline_job_request:*", "order_by": "create_time"}
    with google_errors(_SERVICE, parent):
        found = [read_schedule(message) for message in _client(region).list_schedules(request=request)]
    return tuple(schedule for schedule in found if schedule is not None)


def create(wanted: WantedSchedule) -> str:
    """Makes the schedule, and the bucket for its runs' artifacts where there is none; returns its resource name.

    Raises ServiceError.
    """
    submission = replace(wanted.submission, job_id="", labels=wanted.labels)
    where = f"projects/{submission.project}/locations/{submission.region}"
    # `create_schedule` does not, and the first run would be refused.
    ensure_artifact_bucket(submission)
    with google_errors(_SERVICE, where):
        try:
            schedule = pipeline_job(submission).create_schedule(
                cron=wanted.cron,
                display_name=wanted.display_name,
                start_time=wanted.start or None,
                end_time=wanted.end or None,
                max_run_count=wanted.max_run_count or None,
                max_concurrent_run_count=1,
                max_concurrent_active_run_count=MAX_ACTIVE_RUNS,
                allow_queueing=True,
                service_account=submission.service_account,
            )
        except ValueError as error:  # the SDK knows that a parameter does not belong to the spec
            raise ServiceError(f"{wanted.display_name} was refused: {error}", where=where) from error
    return str(schedule.resource_name)


def pause(resource_name: str) -> None:
    with google_errors(_SERVICE, resource_name):
        _client_of(resource_name).pause_schedule(name=resource_name)


def resume(resource_name: str, *, catch_up: bool = False) -> None:
    """`catch_up`: runs that were missed during the pause are made, all of them."""
    with google_errors(_SERVICE, resource_name):
        _client_of(resource_name).resume_schedule(request={"name": resource_name, "catch_up": catch_up})


def delete(resource_name: str) -> None:
    """Runs that it has started go on. One that is gone already is no error."""
    from google.api_core.exceptions import NotFound

    with google_errors(_SERVICE, resource_name):
        try:
            _client_of(resource_name).delete_schedule(name=resource_name).result()
        except NotFound:
            return


def apply(changes: Iterable[Change], on_change: Callable[[Change], None] = lambda change: None) -> None:
    """Makes every change, telling each to `on_change` once it is made. Broken off, it is finished by applying again.

    Raises ServiceError.
    """
    for change in changes:
        if change.wanted and change.action in ("create", "replace"):
            made = create(change.wanted)
            # Somebody has stopped it; that its spec is a new one now does not set it going.
            if any(old.state == "PAUSED" for old in change.existing):
                pause(made)
        if change.action in ("replace", "delete"):
            for old in change.existing:
                delete(old.resource_name)
        on_change(change)


def _client_of(resource_name: str) -> "ScheduleServiceClient":
    return _client(ResourceName.parse(resource_name, "schedules").region)


def _client(region: str) -> "ScheduleServiceClient":
    from google.cloud.aiplatform_v1 import ScheduleServiceClient

    return ScheduleServiceClient(client_options={"api_endpoint": vertex_ai_host(region)})
