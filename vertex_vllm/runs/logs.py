"""Commands that read a run's logs in Cloud Logging: one for the run, one for each job that ran a step."""

import shlex
from dataclasses import dataclass

from vertex_vllm.runs.engine import Run

# `resource.type` in Cloud Logging of Vertex AI's custom jobs, and of the pipeline service itself.
_STEP = "ml_job"
_RUN = "aiplatform.googleapis.com/PipelineJob"


@dataclass(frozen=True)
class LogCommand:
    """A `gcloud logging read` command."""

    step: str
    """Empty: the log that the pipeline service wrote about the run."""
    job: str
    """Id of the custom job that ran the step, or of the run."""
    command: str


def log_commands(run: Run, project: str) -> tuple[LogCommand, ...]:
    """The run's own log first, then its steps' in order, every attempt of each."""
    run_id = run.name.rpartition("/")[2]
    steps = [
        LogCommand(step.name, job, _read(project, _STEP, "job_id", job))
        for step in run.steps
        for job in (name.rpartition("/")[2] for name in step.jobs)
    ]
    return (LogCommand("", run_id, _read(project, _RUN, "pipeline_job_id", run_id)), *steps)


def steps_without_log(run: Run) -> tuple[str, ...]:
    """Steps that ran or are running, and for which the service names no job."""
    ran = {"RUNNING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED"}
    return tuple(step.name for step in run.steps if step.state in ran and not step.jobs)


def _read(project: str, resource: str, label: str, value: str) -> str:
    # Oldest first: gcloud's limit to the last day holds for newest first alone.
    asked = f'resource.type="{resource}" AND resource.labels.{label}="{value}"'
    shown = "value(timestamp,severity,textPayload,jsonPayload.message)"
    return shlex.join(["gcloud", "logging", "read", asked, f"--project={project}", "--order=asc", f"--format={shown}"])
