"""When a schedule runs next, and when it is complete: functions of its message and a time only."""

from datetime import UTC, datetime
from typing import Any

from google.cloud.aiplatform_v1beta1.types import Schedule
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.services.pipelines.cron_times import parse_cron

SCHEDULE = Schedule.pb()
_STATE = Schedule.State


def time_of(stamp: Timestamp) -> datetime:
    moment: datetime = stamp.ToDatetime(tzinfo=UTC)
    return moment


def plan_next(schedule: Any, after: datetime) -> None:
    """Sets `next_run_time` to the first time after `after` and the start; clears it if that time is after the end."""
    following = parse_cron(schedule.cron).after(max(after, time_of(schedule.start_time)))
    schedule.ClearField("next_run_time")
    if following is not None and not (schedule.HasField("end_time") and following > time_of(schedule.end_time)):
        schedule.next_run_time.FromDatetime(following)


def complete(schedule: Any, now: datetime) -> None:
    """Sets COMPLETED if the schedule has made all its runs, or if its end has passed and no run is left."""
    counted_out = 0 < schedule.max_run_count <= schedule.started_run_count
    late = (
        schedule.HasField("end_time") and time_of(schedule.end_time) <= now and not schedule.HasField("next_run_time")
    )
    if counted_out or late:
        schedule.state = _STATE.COMPLETED
        schedule.ClearField("next_run_time")


def is_due(schedule: Any, now: datetime) -> bool:
    return (
        schedule.state == _STATE.ACTIVE
        and schedule.HasField("next_run_time")
        and time_of(schedule.next_run_time) <= now
    )


def wakes_at(schedule: Any) -> datetime | None:
    """The time of the schedule's next run or, without one, of its end; None if neither will come."""
    if schedule.state != _STATE.ACTIVE:
        return None
    if schedule.HasField("next_run_time"):
        return time_of(schedule.next_run_time)
    return time_of(schedule.end_time) if schedule.HasField("end_time") else None


def skip_missed(schedule: Any, now: datetime) -> None:
    """After a pause of the schedule or of the local cloud: sets the next run to the first future start.

    With `catch_up`, the next run stays in the past, and all missed runs are made.
    """
    if not schedule.catch_up:
        plan_next(schedule, now)
