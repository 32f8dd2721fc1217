"""Follow a pipeline job: its steps, their states, what they put out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.google.regional_hosts import vertex_ai_host
from vertex_vllm.polling import poll_until
from vertex_vllm.vertex_ai.resource_names import ResourceName

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import PipelineServiceClient

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
AWAY_SECONDS = 600.0


@dataclass(frozen=True)
class Artifact:
    uri: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One task of a run."""

    name: str
    state: str
    """PENDING, RUNNING, SUCCEEDED, SKIPPED, FAILED, CANCELLING, CANCELLED or NOT_TRIGGERED."""
    started: datetime | None
    ended: datetime | None
    error: str
    outputs: dict[str, tuple[Artifact, ...]]
    jobs: tuple[str, ...] = ()
    """Custom jobs that ran it, by resource name: attempts that failed, then the one that counts."""


@dataclass(frozen=True)
class Run:
    """A pipeline job as it is now."""

    name: str
    state: str
    """QUEUED, PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLING, CANCELLED or PAUSED."""
    error: str
    steps: tuple[Step, ...]

    def output(self, step: str, artifact: str) -> Artifact | None:
        """First artifact of that name which the step put out; None where the step did not run."""
        for candidate in self.steps:
            if candidate.name == step and candidate.outputs.get(artifact):
                return candidate.outputs[artifact][0]
        return None


def pipeline_client(region: str) -> "PipelineServiceClient":
    from google.cloud.aiplatform_v1 import PipelineServiceClient

    return PipelineServiceClient(client_options={"api_endpoint": vertex_ai_host(region)})


def run_name(resource_name: str) -> ResourceName:
    """Raises InputError for what is not the resource name of a pipeline job."""
    return ResourceName.parse(resource_name, "pipelineJobs")


def read_run(job: Any) -> Run:
    """A `PipelineJob` message as a `Run`. The tasks that only hold others (the run itself, groups) are no steps."""
    groups = {task.parent_task_id for task in job.job_detail.task_details}
    details = [task for task in job.job_detail.task_details if task.task_id not in groups]
    steps = [
        Step(
            name=task.task_name,
            state=task.state.name,
            started=task.start_time or task.create_time or None,
            ended=task.end_time or None,
            error=task.error.message,
            outputs={
                key: tuple(Artifact(artifact.uri, dict(artifact.metadata or {})) for artifact in listed.artifacts)
                for key, listed in task.outputs.items()
            },
            jobs=_jobs(task.executor_detail.container_detail),
        )
        for task in details
    ]
    return Run(job.name, state_of(job), job.error.message, tuple(steps))


def state_of(job: Any) -> str:
    """`Run.state` of a `PipelineJob` message."""
    return str(job.state.name).removeprefix("PIPELINE_STATE_")


def _jobs(container: Any) -> tuple[str, ...]:
    return (*container.failed_main_jobs, *([container.main_job] if container.main_job else []))


def watch(resource_name: str, on_change: Callable[[Run], None]) -> Run:
    """Poll until the job has ended, telling each look to `on_change`; returns the last look.

    A service that is away for less than ten minutes is waited for. Raises ServiceError; InputError for what is not a
    pipeline job's name.
    """
    from google.api_core.retry import Retry

    from vertex_vllm.google.error_boundary import google_errors

    with google_errors("Vertex AI Pipelines", resource_name):
        client = pipeline_client(run_name(resource_name).region)

        def look() -> Run:
            run = read_run(client.get_pipeline_job(name=resource_name, retry=Retry(timeout=AWAY_SECONDS)))
            on_change(run)
            return run

        return poll_until(lambda run: run.state in ENDED, look)


def cancel(resource_name: str) -> None:
    """Asks Vertex AI to cancel the pipeline job. Raises InputError for what is not a pipeline job's name."""
    pipeline_client(run_name(resource_name).region).cancel_pipeline_job(name=resource_name)
