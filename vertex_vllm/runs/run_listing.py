"""Lists the pipeline jobs that this project submitted, by their labels."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.labels import (
    COMMIT_LABEL,
    CONFIG_LABEL,
    DEPLOYMENT_LABEL,
    PIPELINE_LABEL,
    belongs,
    is_ours,
)
from vertex_vllm.runs.vertex_engine import pipeline_client, run_name, state_of

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import ListPipelineJobsRequest

# The fields of a summary. The spec, which is most of a job, is not asked for.
_FIELDS = ("name", "state", "create_time", "start_time", "end_time", "labels", "service_account")


@dataclass(frozen=True)
class RunSummary:
    """A pipeline job as a line of a list."""

    name: str
    """projects/P/locations/REGION/pipelineJobs/ID; Vertex AI answers with the project's number."""
    state: str
    """As in `Run.state`."""
    created: datetime
    ended: datetime | None
    deployment: str
    pipeline: str
    service_account: str
    """Email of the account that its steps run as."""
    commit: str
    """Commit that CI submitted it for; empty: submitted by hand."""
    config_hash: str

    @property
    def id(self) -> str:
        return run_name(self.name).id


def summary(job: Any) -> RunSummary:
    """A `PipelineJob` message in short."""
    labels = dict(job.labels)
    return RunSummary(
        name=job.name,
        state=state_of(job),
        created=job.create_time,
        ended=job.end_time or None,
        deployment=labels.get(DEPLOYMENT_LABEL, ""),
        pipeline=labels.get(PIPELINE_LABEL, ""),
        service_account=job.service_account,
        commit=labels.get(COMMIT_LABEL, ""),
        config_hash=labels.get(CONFIG_LABEL, ""),
    )


def list_request(project: str, region: str) -> "ListPipelineJobsRequest":
    """Asks for all runs of the region, the newest first: labels are compared here, not by a filter of the service."""
    from google.cloud.aiplatform_v1 import ListPipelineJobsRequest

    return ListPipelineJobsRequest(
        parent=f"projects/{project}/locations/{region}",
        order_by="create_time desc",
        read_mask={"paths": list(_FIELDS)},
    )


def list_runs(project: str, region: str, deployment: str = "", limit: int = 0) -> tuple[RunSummary, ...]:
    """This project's newest `limit` runs (0: all of them), the newest first; with a deployment only its own.

    Raises ServiceError for what Vertex AI refuses.
    """
    found: list[RunSummary] = []
    request = list_request(project, region)
    with google_errors("Vertex AI Pipelines", request.parent):
        for job in pipeline_client(region).list_pipeline_jobs(request):
            if limit and len(found) == limit:
                break
            if belongs(job.labels, deployment) if deployment else is_ours(job.labels):
                found.append(summary(job))
    return tuple(found)
