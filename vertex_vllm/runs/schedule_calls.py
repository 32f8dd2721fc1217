"""Calls of Vertex AI's schedules: list, create, pause, resume, delete, and apply a difference."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from vertex_vllm.errors import ServiceError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.regional_hosts import vertex_ai_host
from vertex_vllm.google.shared_clients import google_client
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
    """This project's schedules, the oldest first. Raises ServiceError."""
    parent = f"projects/{project}/locations/{region}"
    # A schedule's owner is recorded in the labels of its job request, which the API cannot filter on; filter here.
    request = {"parent": parent, "filter": "create_pipeline_job_request:*", "order_by": "create_time"}
    with google_errors(_SERVICE, parent):
        found = [read_schedule(message) for message in _client(region).list_schedules(request=request)]
    return tuple(schedule for schedule in found if schedule is not None)


def create(wanted: WantedSchedule) -> str:
    """Creates the schedule, and the bucket of its runs' artifacts if it is missing; returns its resource name.

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
        except ValueError as error:  # The SDK raises it for a parameter that the spec does not have.
            raise ServiceError(f"{wanted.display_name} was refused: {error}", where=where) from error
    return str(schedule.resource_name)


def pause(resource_name: str) -> None:
    with google_errors(_SERVICE, resource_name):
        _client_of(resource_name).pause_schedule(name=resource_name)


def resume(resource_name: str, *, catch_up: bool = False) -> None:
    """Resumes the schedule; with `catch_up`, all runs that were missed during the pause are started."""
    with google_errors(_SERVICE, resource_name):
        _client_of(resource_name).resume_schedule(request={"name": resource_name, "catch_up": catch_up})


def delete(resource_name: str) -> None:
    """Deletes the schedule. Runs that it started continue. A schedule that is already gone is not an error."""
    from google.api_core.exceptions import NotFound

    with google_errors(_SERVICE, resource_name):
        try:
            _client_of(resource_name).delete_schedule(name=resource_name).result()
        except NotFound:
            return


def apply(changes: Iterable[Change], on_change: Callable[[Change], None] = lambda change: None) -> None:
    """Makes every change and passes each to `on_change` once it is made. If interrupted, apply again to finish.

    Raises ServiceError.
    """
    for change in changes:
        if change.wanted and change.action in ("create", "replace"):
            made = create(change.wanted)
            # A person paused the schedule: a new spec does not resume it.
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

    return google_client(ScheduleServiceClient, vertex_ai_host(region))
