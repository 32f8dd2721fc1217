"""Messages between the daemon and a runner: the job in a file, the events as lines of JSON."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from localcloud.services.pipelines.pipeline_spec import TaskKind

TaskPath = tuple[str, ...]

# Stands for the region in names of jobs that are runs of the local Kubeflow Pipelines.
KFP_LOCATION = "kfp"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Value):
    """A pipeline job, as its runner needs it."""

    name: str
    """`projects/<project number>/locations/<region>/pipelineJobs/<job id>`"""
    uid: str
    """The value of `{{$.pipeline_job_uuid}}`."""
    project: str
    create_time: str
    """RFC 3339."""
    kfp_run_name: str = ""
    """Display name of the run when Kubeflow Pipelines was asked for it; "" when Vertex AI was."""
    schedule_time: str = ""
    """Start time that the schedule set, RFC 3339; "" for a job that no schedule made."""
    spec: dict[str, Any]
    parameters: dict[str, Any]
    pipeline_root: str
    """`gs://…`, without a slash at the end."""
    fail_fast: bool
    run_directory: str
    """Folder of everything that the run writes except logs; the daemon removes it afterwards."""
    log_directory: str
    grace_seconds: float
    """Seconds between SIGTERM and SIGKILL when a task is cancelled."""
    fork_server: str
    """Path of the socket of the server that forks Python components."""

    @property
    def job_id(self) -> str:
        return self.name.rsplit("/", 1)[1]

    @property
    def project_number(self) -> str:
        return self.name.split("/")[1]

    @property
    def location(self) -> str:
        return self.name.split("/")[3]


class ArtifactRecord(_Value):
    """An artifact as clients of the job see it."""

    name: str
    uri: str
    schema_title: str
    schema_version: str
    metadata: dict[str, Any]


class Values(_Value):
    """Inputs or outputs of a task."""

    parameters: dict[str, Any] = {}
    artifacts: dict[str, tuple[ArtifactRecord, ...]] = {}


class TaskStarted(_Value):
    event: Literal["task_started"] = "task_started"
    path: TaskPath
    kind: TaskKind
    inputs: Values


class AttemptFailed(_Value):
    """A task's process failed and will be started again."""

    event: Literal["attempt_failed"] = "attempt_failed"
    path: TaskPath
    error: str


class TaskEnded(_Value):
    event: Literal["task_ended"] = "task_ended"
    path: TaskPath
    state: Literal["SUCCEEDED", "FAILED", "CANCELLED", "NOT_TRIGGERED"]
    error: str = ""
    outputs: Values = Values()


Event = TaskStarted | AttemptFailed | TaskEnded
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def parse_event(line: str) -> Event:
    return _EVENTS.validate_json(line)


def job_uid(name: str, create_time: str) -> str:
    """19 digits, different from those of every other job, including a deleted one of the same name."""
    return str(task_id(f"{name}\0{create_time}", ()))


def task_id(uid: str, path: TaskPath) -> int:
    """The id of the task at `path` of the job `uid`, which daemon and runner both compute. A positive int64."""
    digest = hashlib.sha256("\0".join((uid, *path)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1 | 1 << 61
