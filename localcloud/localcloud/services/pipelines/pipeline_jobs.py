"""`PipelineService` for pipeline jobs: the requests that `aiplatform.PipelineJob` sends.

Task caching is not supported: every task runs, and the spec's `cachingOptions` are ignored.
"""

import shutil
from collections.abc import Sequence
from typing import Any

from google.cloud.aiplatform_v1beta1.types import (
    BatchCancelPipelineJobsOperationMetadata,
    BatchCancelPipelineJobsResponse,
    BatchDeletePipelineJobsResponse,
    DeleteOperationMetadata,
    ListPipelineJobsResponse,
    PipelineState,
)
from google.longrunning.operations_pb2 import Operation
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.services.pipelines import task_details
from localcloud.services.pipelines.creation import requested_job
from localcloud.services.pipelines.job_account import missing_rights
from localcloud.services.pipelines.job_contexts import record_contexts, show_contexts
from localcloud.services.pipelines.pipeline_spec import planned_tasks
from localcloud.services.pipelines.read_mask import masked
from localcloud.services.pipelines.runs import PIPELINE_JOBS, PipelineRuns, log_directory
from localcloud.services.pipelines.task_details import FINAL_STATES

service = Service("google.cloud.aiplatform.v1beta1.PipelineService")

_LARGEST_BATCH = 32


@service.method("CreatePipelineJob")
def create_pipeline_job(request: Any, cloud: Cloud) -> Message:
    """Creates and starts a job. The answer contains no tasks yet (recorded in 2026)."""
    job: Message = _without_detail(create_job(request, cloud))
    return job


def create_job(request: Any, cloud: Cloud, *, schedule_name: str = "", schedule_time: str = "") -> Any:
    """Stores and starts the job that `request` describes. `schedule_time`: start that its schedule set, RFC 3339."""
    job = requested_job(request, cloud)
    job.schedule_name = schedule_name
    spec = json_format.MessageToDict(job.pipeline_spec)
    task_details.plan(job, spec["pipelineInfo"]["name"], planned_tasks(spec))
    with cloud.store.transaction():
        cloud.store.insert(PIPELINE_JOBS, job.name, job)
        record_contexts(cloud, job)
    if reason := missing_rights(cloud, job):
        with cloud.store.update(PIPELINE_JOBS, job.name) as failed:
            task_details.abandon(failed, reason, cloud.timestamp())
        return job
    try:
        cloud.part(PipelineRuns).run(job, schedule_time)
    except Exception:
        cloud.store.delete(PIPELINE_JOBS, job.name)
        raise
    return job


@service.method("GetPipelineJob")
def get_pipeline_job(request: Any, cloud: Cloud) -> Message:
    """A job. The details are empty until it has started."""
    job = cloud.store.get(PIPELINE_JOBS, cloud.canonical(request.name))
    if job is None:
        raise ApiError("NOT_FOUND", "The PipelineJob does not exist.")
    if job.state == PipelineState.PIPELINE_STATE_PENDING:
        job.job_detail.Clear()
        job.job_detail.SetInParent()
    else:
        show_contexts(cloud, job)
    return job


@service.method("ListPipelineJobs")
def list_pipeline_jobs(request: Any, cloud: Cloud) -> Message:
    jobs, token = page(
        cloud.store.list(PIPELINE_JOBS, cloud.canonical(request.parent))[::-1],
        request,
        {
            "pipeline_name": lambda job: str(job.pipeline_spec["pipelineInfo"]["name"]),
            "pipeline_job_user_id": lambda job: str(job.name).rpartition("/")[2],
        },
    )
    # "Not available in the list view" (the field's description), except for callers whose read mask names it.
    shown = [masked(job, request.read_mask) if request.read_mask.paths else _without_detail(job) for job in jobs]
    return ListPipelineJobsResponse.pb()(pipeline_jobs=shown, next_page_token=token)


@service.method("CancelPipelineJob")
def cancel_pipeline_job(request: Any, cloud: Cloud) -> Message:
    cancel_jobs([cloud.canonical(request.name)], cloud)
    return Empty()


@service.method("BatchCancelPipelineJobs")
def batch_cancel_pipeline_jobs(request: Any, cloud: Cloud) -> Operation:
    names = _batch(request, cloud)
    jobs = cancel_jobs(names, cloud)
    return cloud.operations.finished(
        cloud.canonical(request.parent),
        metadata=BatchCancelPipelineJobsOperationMetadata.pb()(),
        response=BatchCancelPipelineJobsResponse.pb()(pipeline_jobs=jobs),
    )


@service.method("DeletePipelineJob")
def delete_pipeline_job(request: Any, cloud: Cloud) -> Operation:
    job = delete_job(cloud.canonical(request.name), cloud)
    # The job no longer exists: the operation belongs to its location.
    parent = str(job.name).rpartition("/pipelineJobs/")[0]
    return cloud.operations.finished(parent, metadata=DeleteOperationMetadata.pb()(), response=Empty())


@service.method("BatchDeletePipelineJobs")
def batch_delete_pipeline_jobs(request: Any, cloud: Cloud) -> Operation:
    names = _batch(request, cloud)
    with cloud.store.transaction():
        jobs = [delete_job(name, cloud) for name in names]
    return cloud.operations.finished(
        cloud.canonical(request.parent),
        metadata=DeleteOperationMetadata.pb()(),
        response=BatchDeletePipelineJobsResponse.pb()(pipeline_jobs=jobs),
    )


def cancel_jobs(names: Sequence[str], cloud: Cloud) -> list[Any]:
    """Cancels all these jobs, or none. Raises ApiError if one cannot be cancelled."""
    with cloud.store.transaction():
        jobs = [_show_cancelling(name, cloud) for name in names]
    for job in jobs:
        cloud.part(PipelineRuns).cancel(job)
    return jobs


def _show_cancelling(name: str, cloud: Cloud) -> Any:
    with cloud.store.update(PIPELINE_JOBS, name) as job:
        if job.state in FINAL_STATES:
            raise ApiError("FAILED_PRECONDITION", f"{name} cannot be cancelled: it is in state {_state(job)}.")
        task_details.cancel(job, cloud.timestamp())
    return job


def delete_job(name: str, cloud: Cloud) -> Any:
    with cloud.store.transaction():
        job = cloud.store.require(PIPELINE_JOBS, name)
        if job.state not in FINAL_STATES:
            raise ApiError("FAILED_PRECONDITION", f"{name} cannot be deleted: it is in state {_state(job)}. Cancel it.")
        cloud.store.delete(PIPELINE_JOBS, name)
    logs = log_directory(cloud, job)
    shutil.rmtree(logs, ignore_errors=True)
    logs.with_suffix(".log").unlink(missing_ok=True)
    return job


def _batch(request: Any, cloud: Cloud) -> list[str]:
    if not 1 <= len(request.names) <= _LARGEST_BATCH:
        raise _refusal(f"names has to hold between 1 and {_LARGEST_BATCH} jobs.")
    parent = cloud.canonical(request.parent)
    names = [cloud.canonical(name) for name in request.names]
    if strangers := [name for name in names if not name.startswith(f"{parent}/")]:
        raise _refusal(f"not of the parent {parent}: {', '.join(strangers)}.")
    return names


def _without_detail(job: Any) -> Any:
    job.ClearField("job_detail")
    return job


def _state(job: Any) -> str:
    return str(PipelineState(job.state).name)


def _refusal(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)
