"""The log of a run as Cloud Logging holds it: the pipeline service's own entries, and each step's output."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.shared_clients import google_client

if TYPE_CHECKING:
    from vertex_vllm.runs.engine import Run

_PAGE = 1000
_CALL_SECONDS = 60.0


@dataclass(frozen=True)
class LogLine:
    """A line of an entry."""

    step: str
    """Empty: the pipeline service's own."""
    at: datetime | None
    text: str
    entry: str
    """Id of the entry, for a reader that reads again from the same time on."""


def log_filter(run: "Run", step: str = "", since: datetime | None = None) -> str:
    """Entries of the run and of the jobs that ran its steps, in Cloud Logging's query language.

    With `step` that step's alone. A step without a job has no entries.
    """
    jobs = [job.rpartition("/")[2] for each in run.steps if step in ("", each.name) for job in each.jobs]
    parts = [f'(resource.type="ml_job" AND resource.labels.job_id="{job}")' for job in jobs]
    if not step:
        run_id = run.name.rpartition("/")[2]
        kind = "aiplatform.googleapis.com/PipelineJob"
        parts.insert(0, f'(resource.type="{kind}" AND resource.labels.pipeline_job_id="{run_id}")')
    moment = f' AND timestamp>="{since.isoformat()}"' if since else ""
    return f"({' OR '.join(parts)}){moment}" if parts else ""


def read_log(run: "Run", project: str, step: str = "", since: datetime | None = None) -> Iterator[LogLine]:
    """The lines, the oldest first. Raises ServiceError for a refusal of Cloud Logging."""
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from google.cloud.logging_v2.types import ListLogEntriesRequest

    asked = log_filter(run, step, since)
    if not asked:
        return
    steps = {job.rpartition("/")[2]: each.name for each in run.steps for job in each.jobs}
    request = ListLogEntriesRequest(
        resource_names=[f"projects/{project}"], filter=asked, order_by="timestamp asc", page_size=_PAGE
    )
    with google_errors("Cloud Logging", run.name):
        for entry in google_client(LoggingServiceV2Client).list_log_entries(request, timeout=_CALL_SECONDS):
            named = steps.get(entry.resource.labels.get("job_id", ""), "")
            for line in _text(entry).splitlines():
                yield LogLine(named, entry.timestamp or None, line, entry.insert_id)


def _text(entry: Any) -> str:
    if entry.text_payload:
        return str(entry.text_payload)
    payload = dict(entry.json_payload or {})
    return str(payload.get("message", "") or payload.get("textPayload", ""))
