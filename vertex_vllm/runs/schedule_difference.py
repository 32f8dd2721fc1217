"""Wanted schedules, existing schedules, and the changes that make them equal.

A schedule keeps the spec and the parameters that it was created with, so a changed one is replaced. A hash of both is a
label of the runs that it starts, as a schedule has no labels of its own.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from vertex_vllm.labels import (
    DEPLOYMENT_LABEL,
    PIPELINE_LABEL,
    SCHEDULE_HASH_LABEL,
    SCHEDULE_LABEL,
    is_ours,
    label_value,
)
from vertex_vllm.runs.submission import Submission

PROJECT = "_project"
"""Deployment of a schedule for a whole project; no deployment can have this name."""
# Runs of one schedule wait for each other: two runs of a deployment would tear down each other's endpoint.
MAX_ACTIVE_RUNS = 1
_HASH_LENGTH = 16


@dataclass(frozen=True)
class WantedSchedule:
    """A schedule as a config declares it, with the submission of its runs."""

    deployment: str
    name: str
    cron: str
    """With its time zone: `TZ=Area/City minute hour day-of-month month day-of-week`."""
    submission: Submission
    """Its `job_id` is left out: every run gets one from the service."""
    start: str = ""
    """RFC 3339; empty: at once."""
    end: str = ""
    """RFC 3339; empty: never."""
    max_run_count: int = 0
    """0: any number."""

    @property
    def display_name(self) -> str:
        return f"{self.deployment}/{self.name}"

    @property
    def content_hash(self) -> str:
        """Hash that is equal if and only if an existing schedule may stay. Raises as `Submission.spec_text`."""
        content = {
            "spec": self.submission.spec_text(),
            "parameters": dict(self.submission.parameters),
            "pipeline_root": self.submission.pipeline_root,
            "service_account": self.submission.service_account,
            "cron": self.cron,
            "start": self.start,
            "end": self.end,
            "max_run_count": self.max_run_count,
            "max_active_runs": MAX_ACTIVE_RUNS,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the runs: those of the submission, then the schedule's name and hash."""
        return {
            **self.submission.labels,
            SCHEDULE_LABEL: label_value(self.name),
            SCHEDULE_HASH_LABEL: self.content_hash,
        }


@dataclass(frozen=True)
class ExistingSchedule:
    """A schedule of this project on Vertex AI."""

    resource_name: str
    """projects/P/locations/REGION/schedules/ID; Vertex AI answers with the project's number."""
    deployment: str
    name: str
    pipeline: str
    content_hash: str
    cron: str
    state: str
    """ACTIVE, PAUSED or COMPLETED."""
    next_run: datetime | None
    started_runs: int
    last_response: str
    """The service's message about the start of the last run; empty before the first."""

    @property
    def display_name(self) -> str:
        return f"{self.deployment}/{self.name}"


@dataclass(frozen=True)
class Change:
    """A schedule to create, replace, keep or delete."""

    action: Literal["create", "replace", "keep", "delete"]
    wanted: WantedSchedule | None
    """None: the schedule is deleted."""
    existing: tuple[ExistingSchedule, ...] = ()
    """The existing schedules that are kept or deleted."""

    @property
    def display_name(self) -> str:
        return self.wanted.display_name if self.wanted else self.existing[0].display_name

    @property
    def cron(self) -> str:
        return self.wanted.cron if self.wanted else self.existing[0].cron


def difference(
    wanted: Sequence[WantedSchedule], existing: Sequence[ExistingSchedule], deployments: Sequence[str] = ()
) -> tuple[Change, ...]:
    """The changes that make the schedules of the wanted deployments, and of `deployments`, equal to `wanted`.

    Schedules of all other deployments are left alone. A schedule that was left beside its replacement is deleted too.
    Deletions come last.
    """
    ours = {schedule.deployment for schedule in wanted} | set(deployments)
    changes, deletions = [], []
    for schedule in wanted:
        there = [found for found in existing if found.display_name == schedule.display_name]
        current = [found for found in there if found.content_hash == schedule.content_hash]
        if current:
            changes.append(Change("keep", schedule, (current[0],)))
            deletions += [Change("delete", None, (found,)) for found in there if found is not current[0]]
        else:
            changes.append(Change("replace" if there else "create", schedule, tuple(there)))
    names = {schedule.display_name for schedule in wanted}
    deletions += [
        Change("delete", None, (found,))
        for found in existing
        if found.deployment in ours and found.display_name not in names
    ]
    return (*changes, *deletions)


def read_schedule(message: Any) -> ExistingSchedule | None:
    """A `Schedule` message; None for one that is not ours."""
    labels = dict(message.create_pipeline_job_request.pipeline_job.labels)
    if not is_ours(labels) or SCHEDULE_LABEL not in labels:
        return None
    return ExistingSchedule(
        resource_name=message.name,
        deployment=labels.get(DEPLOYMENT_LABEL, ""),
        name=labels[SCHEDULE_LABEL],
        pipeline=labels.get(PIPELINE_LABEL, ""),
        content_hash=labels.get(SCHEDULE_HASH_LABEL, ""),
        cron=message.cron,
        state=message.state.name,
        next_run=message.next_run_time or None,
        started_runs=message.started_run_count,
        last_response=message.last_scheduled_run_response.run_response,
    )
