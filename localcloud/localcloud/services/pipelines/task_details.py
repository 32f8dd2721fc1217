"""Changes of a `PipelineJob` message: by an event of its runner, a cancellation, or the end of the run."""

from collections.abc import Iterable
from typing import Any

from google.cloud.aiplatform_v1beta1.types import Execution, PipelineJob, PipelineState, PipelineTaskDetail
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, status_pb2

from localcloud.services.pipelines.job import (
    ArtifactRecord,
    AttemptFailed,
    Event,
    TaskEnded,
    TaskPath,
    TaskStarted,
    Values,
    job_uid,
    task_id,
)
from localcloud.services.pipelines.pipeline_spec import PlannedTask, TaskKind

JOB: Any = PipelineJob.pb()
TASK: Any = PipelineTaskDetail.pb()
_EXECUTION: Any = Execution.pb()

FINAL_STATES = (
    PipelineState.PIPELINE_STATE_SUCCEEDED,
    PipelineState.PIPELINE_STATE_FAILED,
    PipelineState.PIPELINE_STATE_CANCELLED,
)
_FINAL_TASK_STATES = (TASK.SUCCEEDED, TASK.FAILED, TASK.CANCELLED, TASK.NOT_TRIGGERED)
_SCHEMA_VERSION = "0.0.1"


def uid_of(job: Any) -> str:
    return job_uid(job.name, job.create_time.ToJsonString())


def plan(job: Any, pipeline_name: str, tasks: Iterable[PlannedTask]) -> None:
    """Fills in the details of a job that has not started."""
    store = _metadata_store(job)
    context = job.job_detail.pipeline_context
    context.name = f"{store}/contexts/{pipeline_name}"
    context.display_name = pipeline_name
    context.schema_title, context.schema_version = "system.Pipeline", _SCHEMA_VERSION
    run = job.job_detail.pipeline_run_context
    run.name = f"{store}/contexts/{_job_id(job)}"
    run.display_name = _job_id(job)
    run.schema_title, run.schema_version = "system.PipelineRun", _SCHEMA_VERSION
    run.parent_contexts.append(context.name)
    for each in (context, run):
        each.create_time.CopyFrom(job.create_time)
        each.update_time.CopyFrom(job.create_time)
        each.etag = str(job.create_time.ToMilliseconds())
        each.metadata.SetInParent()
    for task in tasks:
        _add(job, task.path, task.kind, job.create_time)


def apply(job: Any, event: Event, now: Timestamp) -> None:
    """Applies an event of the job's runner to `job`."""
    job.update_time.CopyFrom(now)
    match event:
        case TaskStarted():
            _start(job, event, now)
        case AttemptFailed():
            detail = _detail(job, event.path)
            _add_status(detail, now).error.CopyFrom(_failed(event.error))
        case TaskEnded():
            _end(job, event, now)


def cancel(job: Any, now: Timestamp) -> None:
    job.state = PipelineState.PIPELINE_STATE_CANCELLING
    job.update_time.CopyFrom(now)


def abandon(job: Any, reason: str, now: Timestamp) -> None:
    """Ends a job whose runner no longer runs, and all its unfinished tasks, as failed for `reason`."""
    job.update_time.CopyFrom(now)
    for detail in job.job_detail.task_details:
        if detail.state == TASK.PENDING:
            _set_state(detail, TASK.NOT_TRIGGERED, now)
        elif detail.state not in _FINAL_TASK_STATES:
            detail.error.CopyFrom(_failed(reason))
            _set_state(detail, TASK.FAILED, now)
            _end_execution(detail, now)
    _end_job(job, "FAILED", reason, now)


def _start(job: Any, event: TaskStarted, now: Timestamp) -> None:
    detail = _find(job, event.path) or _add(job, event.path, event.kind, now)
    detail.start_time.CopyFrom(now)
    _set_state(detail, TASK.RUNNING, now)
    execution = detail.execution
    execution.name = f"{_metadata_store(job)}/executions/{detail.task_id}"
    execution.display_name = detail.task_name
    execution.schema_title, execution.schema_version = event.kind.value, _SCHEMA_VERSION
    execution.state = _EXECUTION.RUNNING
    execution.create_time.CopyFrom(now)
    _record(detail.inputs, detail, "input", event.inputs, now)
    if not event.path:
        job.start_time.CopyFrom(now)
        if job.state != PipelineState.PIPELINE_STATE_CANCELLING:
            job.state = PipelineState.PIPELINE_STATE_RUNNING


def _end(job: Any, event: TaskEnded, now: Timestamp) -> None:
    detail = _find(job, event.path) or _add(job, event.path, TaskKind.GROUP, now)
    if event.state == "CANCELLED":
        detail.error.CopyFrom(status_pb2.Status(code=code_pb2.CANCELLED, message=event.error))
    elif event.error:
        detail.error.CopyFrom(_failed(event.error))
    _set_state(detail, TASK.State.Value(event.state), now)
    if detail.HasField("execution"):
        _record(detail.outputs, detail, "output", event.outputs, now)
        _end_execution(detail, now)
    for inner in job.job_detail.task_details:
        if inner.state == TASK.PENDING and _is_inside(inner, event.path):
            _set_state(inner, TASK.NOT_TRIGGERED, now)
    if not event.path:
        _end_job(job, event.state, event.error, now)


def _end_job(job: Any, state: str, error: str, now: Timestamp) -> None:
    job.end_time.CopyFrom(now)
    job.state = PipelineState[f"PIPELINE_STATE_{state}"]
    # A job that was cancelled before it started has no error (recorded in 2026).
    if state == "FAILED" or (state == "CANCELLED" and job.HasField("start_time")):
        code = code_pb2.CANCELLED if state == "CANCELLED" else code_pb2.FAILED_PRECONDITION
        job.error.CopyFrom(status_pb2.Status(code=code, message=error))


def _add(job: Any, path: TaskPath, kind: TaskKind, now: Timestamp) -> Any:
    detail = job.job_detail.task_details.add(
        task_id=task_id(uid_of(job), path),
        # The pipeline itself is also a task: its name is the job's id, and it is every other task's ancestor.
        task_name=path[-1] if path else _job_id(job),
        task_unique_name=".".join(path),
    )
    if path:
        detail.parent_task_id = task_id(uid_of(job), path[:-1])
    detail.create_time.CopyFrom(now)
    _set_state(detail, TASK.PENDING, now)
    return detail


def _find(job: Any, path: TaskPath) -> Any | None:
    wanted = task_id(uid_of(job), path)
    return next((detail for detail in job.job_detail.task_details if detail.task_id == wanted), None)


def _detail(job: Any, path: TaskPath) -> Any:
    found = _find(job, path)
    if found is None:
        raise ValueError(f"{job.name} has no task {'.'.join(path)}")
    return found


def _is_inside(detail: Any, path: TaskPath) -> bool:
    return not path or str(detail.task_unique_name).startswith(".".join(path) + ".")


def _set_state(detail: Any, state: Any, now: Timestamp) -> None:
    detail.state = state
    status = _add_status(detail, now)
    if state in _FINAL_TASK_STATES:
        detail.end_time.CopyFrom(now)
        if detail.HasField("error"):
            status.error.CopyFrom(detail.error)


def _add_status(detail: Any, now: Timestamp) -> Any:
    status = detail.pipeline_task_status.add(state=detail.state)
    status.update_time.CopyFrom(now)
    return status


def _end_execution(detail: Any, now: Timestamp) -> None:
    ended = {TASK.SUCCEEDED: _EXECUTION.COMPLETE, TASK.CANCELLED: _EXECUTION.CANCELLED}
    detail.execution.state = ended.get(detail.state, _EXECUTION.FAILED)
    detail.execution.update_time.CopyFrom(now)


def _record(artifacts: Any, detail: Any, direction: str, values: Values, now: Timestamp) -> None:
    detail.execution.metadata.update({f"{direction}:{key}": value for key, value in values.parameters.items()})
    for key, records in values.artifacts.items():
        for record in records:
            _fill_artifact(artifacts[key].artifacts.add(), record, key, now)


def _fill_artifact(artifact: Any, record: ArtifactRecord, key: str, now: Timestamp) -> None:
    artifact.name, artifact.uri, artifact.display_name = record.name, record.uri, key
    artifact.schema_title, artifact.schema_version = record.schema_title, record.schema_version
    artifact.state = type(artifact).LIVE
    artifact.create_time.CopyFrom(now)
    artifact.metadata.update(record.metadata)


def _failed(message: str) -> status_pb2.Status:
    return status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=message)


def _job_id(job: Any) -> str:
    return str(job.name).rpartition("/")[2]


def _metadata_store(job: Any) -> str:
    return f"{str(job.name).rsplit('/', 2)[0]}/metadataStores/default"
