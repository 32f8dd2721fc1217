"""Starts the runs of schedules when their times come, by the cloud's clock.

A due run is started as by `CreatePipelineJob`. Runs that fell due while the local cloud was down are made afterwards by
schedules with `catch_up`, as after a pause, and skipped by other schedules.
"""

import logging
import threading
from contextlib import suppress
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud, Part
from localcloud.core.store import Kind
from localcloud.services.pipelines.pipeline_jobs import create_job
from localcloud.services.pipelines.runs import PIPELINE_JOBS
from localcloud.services.pipelines.schedule_times import (
    SCHEDULE,
    complete,
    is_due,
    plan_next,
    skip_missed,
    time_of,
    wakes_at,
)
from localcloud.services.pipelines.task_details import FINAL_STATES

_LOG = logging.getLogger(__name__)

SCHEDULES = Kind("schedule", SCHEDULE)

# Seconds between two looks of a schedule whose run waits for another run to end.
_QUEUE_SECONDS = 1.0
# `last_scheduled_run_response` of a run that was started; the service's own words are not documented.
_STARTED = "OK"


class Scheduler(Part):
    """One thread that waits for the next start time. A move of the clock also starts the runs that it makes due."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._starting = threading.Lock()
        self._changed = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run_forever, name="scheduler", daemon=True)

    def start(self) -> None:
        for name, _ in self._cloud.store.items(SCHEDULES):
            with self._cloud.store.update(SCHEDULES, name) as schedule:
                if is_due(schedule, self._cloud.clock()):
                    skip_missed(schedule, self._cloud.clock())
        self._cloud.clock.on_advance(self.run_due)
        self._thread.start()

    def stop(self) -> None:
        """Returns when no run is being started and no further run will be."""
        self._stopping = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._starting:  # a move of the clock may be starting runs, too
            pass

    def wake(self) -> None:
        """Must be called when a schedule has changed."""
        self._changed.set()

    def run_due(self) -> None:
        """Starts every run that is due, in the order of their times, and ends the schedules whose end has come."""
        with self._starting:
            queued: set[str] = set()
            while not self._stopping and (name := self._first_due(queued)):
                with suppress(ApiError):  # deleted in the meantime
                    if not self._run(name):
                        queued.add(name)
            self._end_what_is_over()
        self.wake()

    def _run_forever(self) -> None:
        while not self._stopping:
            try:
                self.run_due()
            except Exception:  # a failure of one schedule must not stop the others
                _LOG.exception("the runs that are due could not be started")
            self._changed.clear()
            self._changed.wait(self._seconds_to_wait())

    def _seconds_to_wait(self) -> float | None:
        """None if no schedule is active. Past times were just handled: their runs wait for other runs to end."""
        now = self._cloud.clock()
        moments = [moment for schedule in self._cloud.store.list(SCHEDULES) if (moment := wakes_at(schedule))]
        waits = [(moment - now).total_seconds() if moment > now else _QUEUE_SECONDS for moment in moments]
        return min(waits, default=None)

    def _first_due(self, queued: set[str]) -> str:
        now = self._cloud.clock()
        due = [each for each in self._cloud.store.list(SCHEDULES) if each.name not in queued and is_due(each, now)]
        return str(min(due, key=lambda schedule: time_of(schedule.next_run_time)).name) if due else ""

    def _run(self, name: str) -> bool:
        """Starts the due run, or skips it; False if it must wait for another run to end."""
        with self._cloud.store.update(SCHEDULES, name) as schedule:
            if not is_due(schedule, self._cloud.clock()):
                return True
            full = self._is_full(schedule)
            if full and schedule.allow_queueing:
                return False
            scheduled_for = Timestamp()
            scheduled_for.CopyFrom(schedule.next_run_time)
            plan_next(schedule, time_of(scheduled_for))
        if not full:
            # Outside the transaction: starting a job calls Cloud Storage, which may use the store.
            response = self._start_job(schedule, scheduled_for)
            with self._cloud.store.update(SCHEDULES, name) as schedule:
                schedule.last_scheduled_run_response.scheduled_run_time.CopyFrom(scheduled_for)
                schedule.last_scheduled_run_response.run_response = response
                schedule.started_run_count += response == _STARTED
                complete(schedule, self._cloud.clock())
        return True

    def _is_full(self, schedule: Any) -> bool:
        """Whether the schedule has reached its limit of active runs.

        `max_concurrent_run_count` limits the runs being *started* at a time; here that is always one.
        """
        limit = schedule.max_concurrent_active_run_count
        location = str(schedule.name).rpartition("/schedules/")[0]
        jobs = self._cloud.store.list(PIPELINE_JOBS, location) if limit else []
        active = [job for job in jobs if job.schedule_name == schedule.name and job.state not in FINAL_STATES]
        return bool(0 < limit <= len(active))

    def _start_job(self, schedule: Any, scheduled_for: Timestamp) -> str:
        """Starts a run. Returns "OK" or the error's code and message."""
        try:
            create_job(
                schedule.create_pipeline_job_request,
                self._cloud,
                schedule_name=schedule.name,
                schedule_time=scheduled_for.ToJsonString(),
            )
        except ApiError as error:
            return f"{error.code}: {error.message}"
        return _STARTED

    def _end_what_is_over(self) -> None:
        now = self._cloud.clock()
        for schedule in self._cloud.store.list(SCHEDULES):
            if (moment := wakes_at(schedule)) and moment <= now:
                with suppress(ApiError), self._cloud.store.update(SCHEDULES, schedule.name) as stored:
                    complete(stored, now)
