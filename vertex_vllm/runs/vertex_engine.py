"""Vertex AI Pipelines as an engine. A run's name is projects/P/locations/REGION/pipelineJobs/ID."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.google.deployment_bucket import is_of_project
from vertex_vllm.google.error_boundary import CLOUD_STORAGE, google_errors
from vertex_vllm.google.regional_hosts import vertex_ai_host
from vertex_vllm.google.shared_clients import default_credentials, google_client
from vertex_vllm.retries import google_retry
from vertex_vllm.runs.engine import AWAY_SECONDS, Artifact, Run, Step, until_ended
from vertex_vllm.runs.submission import Submission, spec_file
from vertex_vllm.vertex_ai.resource_names import ResourceName

if TYPE_CHECKING:
    from google.cloud.aiplatform import PipelineJob
    from google.cloud.aiplatform_v1 import PipelineJob as PipelineJobMessage
    from google.cloud.aiplatform_v1 import PipelineServiceClient

_SERVICE = "Vertex AI Pipelines"
_RUNS_A_SECOND = 5
_JOBS_LOGGER = "google.cloud.aiplatform.pipeline_jobs"


class VertexEngine:
    """Vertex AI Pipelines."""

    uses_pipeline_account = True

    def submit(self, submission: Submission) -> str:
        """As `Engine.submit`. The Hub token's secret is pinned to a version first: SecretAccessError without access.

        The run id names a second. If another run of the second has it, `-2`, `-3` and so on follow; the SDK never
        repeats a creation by itself, so an id that exists is another submission's.
        """
        from google.api_core.exceptions import Conflict

        from vertex_vllm.google.secret_manager import pinned

        where = f"projects/{submission.project}/locations/{submission.region}"
        parameters = {
            name: pinned(value) if name == "hf_token_secret" else value for name, value in submission.parameters.items()
        }
        ids = [submission.job_id, *(f"{submission.job_id}-{number}" for number in range(2, _RUNS_A_SECOND + 1))]
        with google_errors(_SERVICE, where):
            for job_id in ids:
                try:
                    job = pipeline_job(replace(submission, parameters=parameters, job_id=job_id))
                    job.submit(service_account=submission.service_account)
                except Conflict:  # AlreadyExists over gRPC
                    if job_id == ids[-1]:
                        raise
                except ValueError as error:
                    raise ServiceError(f"the pipeline job was refused: {error}", where=where) from error
                else:
                    break
        return str(job.resource_name)

    def read(self, name: str) -> Run:
        return read_run(find_run(name))

    def watch(self, name: str, on_change: Callable[[Run], None]) -> Run:
        with _called(name) as client:
            patient = google_retry(AWAY_SECONDS)
            return until_ended(lambda: read_run(client.get_pipeline_job(name=name, retry=patient)), on_change)

    def cancel(self, name: str) -> None:
        with _called(name) as client:
            client.cancel_pipeline_job(name=name)

    def address(self, name: str) -> str:
        run = run_name(name)
        return (
            f"https://console.cloud.google.com/vertex-ai/pipelines/locations/{run.region}/runs/{run.id}"
            f"?project={run.project}"
        )

    def command(self, name: str) -> str:
        return f"vertex-vllm runs show {name}"


def pipeline_client(region: str) -> "PipelineServiceClient":
    from google.cloud.aiplatform_v1 import PipelineServiceClient

    return google_client(PipelineServiceClient, vertex_ai_host(region))


def run_name(resource_name: str) -> ResourceName:
    """The parts of a pipeline job's resource name. Raises InputError for any other text."""
    return ResourceName.parse(resource_name, "pipelineJobs")


def find_run(name: str) -> "PipelineJobMessage":
    """The pipeline job of that resource name. Raises InputError if there is none, ServiceError."""
    with _called(name) as client:
        return client.get_pipeline_job(name=name)


@contextmanager
def _called(name: str) -> Iterator["PipelineServiceClient"]:
    """The client for the run's region; errors of its calls become InputError or ServiceError."""
    from google.api_core.exceptions import NotFound

    with google_errors(_SERVICE, name):
        try:
            yield pipeline_client(run_name(name).region)
        except NotFound as error:
            raise InputError("there is no such run", where=name, fix="`vertex-vllm runs list` shows them.") from error


def read_run(job: Any) -> Run:
    """A `PipelineJob` message as a `Run`. Tasks that only contain others (the run itself, groups) are not steps."""
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


def ensure_artifact_bucket(submission: Submission) -> None:
    """Creates the artifacts' bucket if it is missing. Raises BucketError for another project's bucket, ServiceError.

    `PipelineJob.submit` does the same, but asks Resource Manager for the project's number, and reports a squatted
    bucket to every caller who may not ask.
    """
    from google.cloud.aiplatform.utils import gcs_utils

    with google_errors(CLOUD_STORAGE, submission.pipeline_root):
        if is_of_project(submission.project, submission.pipeline_root.removeprefix("gs://").partition("/")[0]):
            return
        gcs_utils.create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist(
            output_artifacts_gcs_dir=submission.pipeline_root,
            service_account=submission.service_account,
            project=submission.project,
            location=submission.region,
        )


def pipeline_job(submission: Submission) -> "PipelineJob":
    """The SDK's job, not submitted.

    Raises ValueError if the spec and the parameters do not fit, InputError as `Submission.spec_text`.
    """
    from google.cloud import aiplatform

    _quieten("google.cloud.aiplatform.")
    # Otherwise the SDK asks Resource Manager for the credentials' own project, which the caller may not be allowed to.
    aiplatform.init(project=submission.project, location=submission.region)
    with spec_file(submission) as spec:
        return aiplatform.PipelineJob(
            display_name=submission.job_id,
            job_id=submission.job_id or None,
            template_path=str(spec),
            pipeline_root=submission.pipeline_root,
            parameter_values=dict(submission.parameters),
            labels=dict(submission.labels),
            project=submission.project,
            location=submission.region,
            credentials=default_credentials(),
        )


def _quieten(prefix: str) -> None:
    """Silences the SDK's loggers: they print progress that the commands print themselves.

    The logger of pipeline jobs is silenced completely: for a caller who may not read the project's number it reports a
    squatted bucket, with a traceback. `require_ready` checks the bucket before.
    """
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith(prefix):
            logging.getLogger(name).setLevel(logging.CRITICAL if name == _JOBS_LOGGER else logging.WARNING)
