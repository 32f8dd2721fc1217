"""`ScheduleService` for schedules of pipeline jobs: the requests of `aiplatform.PipelineJobSchedule`."""

import re
from typing import Any

from google.cloud.aiplatform_v1beta1.types import DeleteOperationMetadata, ListSchedulesResponse, Schedule
from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.services.pipelines.creation import requested_job
from localcloud.services.pipelines.cron_times import parse_cron
from localcloud.services.pipelines.read_mask import masked
from localcloud.services.pipelines.schedule_times import complete, plan_next, skip_missed, time_of
from localcloud.services.pipelines.scheduler import SCHEDULES, Scheduler
from localcloud.services.vertex.resource_names import check_numbered

service = Service("google.cloud.aiplatform.v1beta1.ScheduleService")

_PARENT = re.compile(r"projects/[^/]+/locations/[a-z0-9-]+")
_LONGEST_DISPLAY_NAME = 128
_STATE = Schedule.State

# Fields of a schedule that a client may set; the service sets the rest.
_CLIENT_FIELDS = (
    "display_name",
    "cron",
    "create_pipeline_job_request",
    "start_time",
    "end_time",
    "max_run_count",
    "max_concurrent_run_count",
    "max_concurrent_active_run_count",
    "allow_queueing",
)


@service.method("CreateSchedule")
def create_schedule(request: Any, cloud: Cloud) -> Message:
    if not _PARENT.fullmatch(request.parent):
        raise _refusal(f"parent has to be projects/PROJECT/locations/LOCATION, but is {request.parent!r}.")
    kind = request.schedule.WhichOneof("request")
    if kind not in (None, "create_pipeline_job_request"):
        raise ApiError("UNIMPLEMENTED", f"The local cloud runs schedules of pipeline jobs; {kind} is not supported.")
    schedule = masked(request.schedule, FieldMask(paths=_CLIENT_FIELDS))
    parent = cloud.canonical(request.parent)
    schedule.name = f"{parent}/schedules/{cloud.ids.numeric()}"
    schedule.create_time.CopyFrom(cloud.timestamp())
    schedule.update_time.CopyFrom(schedule.create_time)
    if not schedule.HasField("start_time"):
        schedule.start_time.CopyFrom(schedule.create_time)
    _check(schedule, cloud)
    schedule.state = _STATE.ACTIVE
    plan_next(schedule, cloud.clock())
    cloud.store.insert(SCHEDULES, schedule.name, schedule)
    cloud.part(Scheduler).wake()
    return schedule


@service.method("GetSchedule")
def get_schedule(request: Any, cloud: Cloud) -> Message:
    return cloud.store.require(SCHEDULES, _name(request.name, cloud))


@service.method("ListSchedules")
def list_schedules(request: Any, cloud: Cloud) -> Message:
    # Newest first, unless the request says otherwise.
    newest_first = cloud.store.list(SCHEDULES, cloud.canonical(request.parent))[::-1]
    schedules, token = page(newest_first, request)
    return ListSchedulesResponse.pb()(schedules=schedules, next_page_token=token)


@service.method("UpdateSchedule")
def update_schedule(request: Any, cloud: Cloud) -> Message:
    """Runs that were due before the update and have not been started are skipped."""
    paths = list(request.update_mask.paths)
    if not paths:
        raise _refusal("update_mask is required.")
    if unknown := [path for path in paths if path not in _CLIENT_FIELDS]:
        raise _refusal(f"update_mask: not to be updated: {', '.join(unknown)}. Known: {', '.join(_CLIENT_FIELDS)}.")
    with cloud.store.update(SCHEDULES, _name(request.schedule.name, cloud)) as schedule:
        if schedule.state == _STATE.COMPLETED:
            raise _wrong_state(schedule, "updated")
        _replace(schedule, masked(request.schedule, request.update_mask), paths)
        _check(schedule, cloud)
        schedule.update_time.CopyFrom(cloud.timestamp())
        plan_next(schedule, cloud.clock())
        complete(schedule, cloud.clock())
    cloud.part(Scheduler).wake()
    return schedule


@service.method("PauseSchedule")
def pause_schedule(request: Any, cloud: Cloud) -> Message:
    with cloud.store.update(SCHEDULES, _name(request.name, cloud)) as schedule:
        if schedule.state != _STATE.ACTIVE:
            raise _wrong_state(schedule, "paused")
        schedule.state = _STATE.PAUSED
        schedule.last_pause_time.CopyFrom(cloud.timestamp())
    return Empty()


@service.method("ResumeSchedule")
def resume_schedule(request: Any, cloud: Cloud) -> Message:
    with cloud.store.update(SCHEDULES, _name(request.name, cloud)) as schedule:
        if schedule.state != _STATE.PAUSED:
            raise _wrong_state(schedule, "resumed")
        schedule.state = _STATE.ACTIVE
        schedule.last_resume_time.CopyFrom(cloud.timestamp())
        schedule.catch_up = request.catch_up
        skip_missed(schedule, cloud.clock())
    cloud.part(Scheduler).wake()
    return Empty()


@service.method("DeleteSchedule")
def delete_schedule(request: Any, cloud: Cloud) -> Operation:
    """Deletes a schedule. Runs that the schedule has started continue."""
    name = _name(request.name, cloud)
    with cloud.store.transaction():
        cloud.store.require(SCHEDULES, name)
        cloud.store.delete(SCHEDULES, name)
    # The schedule no longer exists: the operation belongs to its location.
    parent = name.rpartition("/schedules/")[0]
    return cloud.operations.finished(parent, metadata=DeleteOperationMetadata.pb()(), response=Empty())


def _name(name: str, cloud: Cloud) -> str:
    """The schedule's name with the project's number. Raises ApiError INVALID_ARGUMENT for a malformed name."""
    check_numbered(name, "Schedule")
    return cloud.canonical(name)


def _check(schedule: Any, cloud: Cloud) -> None:
    """Raises ApiError for a schedule with an invalid field."""
    if not 0 < len(schedule.display_name) <= _LONGEST_DISPLAY_NAME:
        raise _refusal(f"schedule.displayName is required, and has at most {_LONGEST_DISPLAY_NAME} characters.")
    try:
        parse_cron(schedule.cron)
    except ValueError as error:
        raise _refusal(f"schedule.cron: {error}.") from None
    if schedule.max_concurrent_run_count < 1:
        raise _refusal("schedule.maxConcurrentRunCount is required, and is at least 1.")
    for field in ("max_run_count", "max_concurrent_active_run_count"):
        if getattr(schedule, field) < 0:
            raise _refusal(f"schedule.{field} must not be negative.")
    if schedule.HasField("end_time") and time_of(schedule.end_time) <= max(
        time_of(schedule.start_time), time_of(schedule.create_time)
    ):
        raise _refusal("schedule.endTime has to be in the future, and after schedule.startTime.")
    _check_request(schedule, cloud)


def _check_request(schedule: Any, cloud: Cloud) -> None:
    """Checks the job as at its creation; its components are checked when a run is created. Raises ApiError."""
    if not schedule.HasField("create_pipeline_job_request"):
        raise _refusal("schedule.createPipelineJobRequest is required: what the schedule runs.")
    request, parent = schedule.create_pipeline_job_request, str(schedule.name).rpartition("/schedules/")[0]
    if cloud.canonical(request.parent) != parent:
        raise _refusal(f"schedule.createPipelineJobRequest.parent has to be the schedule's, but is {request.parent!r}.")
    requested_job(request, cloud, components=False)


def _replace(schedule: Any, update: Any, paths: list[str]) -> None:
    """Copies the fields `paths` of `update` to `schedule`. Raises ApiError for a required field that `update` lacks."""
    for path in paths:
        field = schedule.DESCRIPTOR.fields_by_name[path]
        given = (
            update.HasField(path)
            if field.has_presence
            else bool(getattr(update, path)) or field.type == field.TYPE_BOOL
        )
        set_before = schedule.HasField(path) if field.has_presence else bool(getattr(schedule, path))
        if set_before and not given:
            raise _refusal(f"schedule.{path} cannot be unset.")
        schedule.ClearField(path)
    schedule.MergeFrom(update)


def _wrong_state(schedule: Any, action: str) -> ApiError:
    state = _STATE(schedule.state).name
    return ApiError("FAILED_PRECONDITION", f"{schedule.name} cannot be {action}: it is in state {state}.")


def _refusal(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)
