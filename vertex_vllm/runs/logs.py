"""Where a run's logs are read: in Cloud Logging, by a command for the run and one for each job that ran a step."""

import shlex
from dataclasses import dataclass

from vertex_vllm.runs.engine import Run

# What Vertex AI's custom jobs and the pipeline service itself write; `resource.type` in Cloud Logging.
_STEP = "ml_job"
_RUN = "aiplatform.googleapis.com/PipelineJob"


@dataclass(frozen=True)
class LogCommand:
    """One `gcloud logging read`."""

    step: str
    """Empty: the run itself, as the pipeline service tells of it."""
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
    """Steps that have run, or do, and of which the service names no job."""
    ran = {"RUNNING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED"}
    return tuple(step.name for step in run.steps if step.state in ran and not step.jobs)


def _read(project: str, resource: str, label: str, value: str) -> str:
    # Oldest first: gcloud's limit to the last day holds for newest first alone.
    asked = f'resource.type="{resource}" AND resource.labels.{label}="{value}"'
    shown = "value(timestamp,severity,textPayload,jsonPayload.message)"
    return shlex.join(["gcloud", "logging", "read", asked, f"--project={project}", "--order=asc", f"--format={shown}"])
