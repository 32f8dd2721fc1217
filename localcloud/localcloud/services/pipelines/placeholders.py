"""Values of the placeholders `{{$.…}}` of a spec that name the job or the task."""

import re
from collections.abc import Mapping
from typing import Any

from localcloud.services.pipelines.job import Job, TaskPath, task_id

_PLACEHOLDER = re.compile(r"\{\{\$\.(.*?)\}\}")


def job_names(job: Job) -> dict[str, str]:
    """The values of the job's placeholders, as on Vertex AI or, for a Kubeflow run, of the three that Kubeflow knows.

    kubeflow/pipelines, `backend/src/v2/driver/resolve.go`; its `run name` is that of the Argo workflow.
    """
    if job.kfp_run_name:
        return {
            "pipeline_job_name": job.kfp_run_name,
            "pipeline_job_resource_name": job.job_id,
            "pipeline_job_uuid": job.job_id.partition("-")[2],
        }
    return {
        "pipeline_job_name": job.job_id,
        "pipeline_job_resource_name": job.name,
        "pipeline_job_uuid": job.uid,
        "pipeline_job_create_time_utc": job.create_time,
        "pipeline_job_schedule_time_utc": job.schedule_time or job.create_time,
        "pipeline_root": job.pipeline_root,
        "pipeline_google_cloud_project_id": job.project,
        "pipeline_google_cloud_location": job.location,
    }


def task_names(job: Job, path: TaskPath) -> dict[str, str]:
    return {
        **job_names(job),
        "pipeline_task_name": path[-1],
        "pipeline_task_uuid": str(task_id(job.uid, path)),
    }


def substitute(value: Any, names: Mapping[str, str], *, whole: bool = False) -> Any:
    """The JSON `value` with the placeholders in `names` replaced in every string; other placeholders stay.

    `whole`: as in Kubeflow, a placeholder is replaced only if it is the whole string.
    """
    if isinstance(value, str):
        if whole and not _PLACEHOLDER.fullmatch(value):
            return value
        return _PLACEHOLDER.sub(lambda match: names.get(match.group(1), match.group()), value)
    if isinstance(value, list):
        return [substitute(item, names, whole=whole) for item in value]
    if isinstance(value, dict):
        return {key: substitute(item, names, whole=whole) for key, item in value.items()}
    return value
