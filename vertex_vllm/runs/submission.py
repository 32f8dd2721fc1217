"""A compiled spec and its parameters as a running pipeline job."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import ServiceError
from vertex_vllm.labels import MANAGED_BY, OWNER_LABEL, label_value
from vertex_vllm.redaction import refuse_secrets
from vertex_vllm.runs.specs import require_pinned, with_image

if TYPE_CHECKING:
    from google.cloud.aiplatform import PipelineJob


@dataclass(frozen=True)
class Submission:
    """Everything that a pipeline job is made of. Raises InputError where it holds a secret, since a job shows them."""

    project: str
    region: str
    spec: Path
    """Compiled pipeline, one YAML document."""
    job_id: str
    """[a-z][-a-z0-9]*, at most 128; also the run id on everything that the run makes. Empty: the service chooses."""
    parameters: Mapping[str, Any]
    pipeline_root: str
    """gs:// prefix for the artifacts of all runs."""
    labels: Mapping[str, str]
    service_account: str
    """Email of the account that the steps run as. Never empty: Vertex AI would take Compute Engine's default account,
    which a new project does not have and which may have no role (python-aiplatform#1073)."""
    image: str = ""
    """Image of the steps, `IMAGE@sha256:DIGEST`, in the place of the spec's own; empty: the spec's own."""

    def __post_init__(self) -> None:
        refuse_secrets(self.parameters)
        refuse_secrets({"labels": self.labels, "pipeline_root": self.pipeline_root, "image": self.image})

    def spec_text(self) -> str:
        """The spec as it is sent. Raises InputError where an image in it is not pinned by digest."""
        text = with_image(self.spec.read_text(encoding="utf-8"), self.image)
        return require_pinned(text, self.project, self.region)


def job_id(pipeline: str, deployment: str, at: datetime | None = None) -> str:
    """Name of a run that sorts by time and says what it is about."""
    moment = at or datetime.now(UTC)
    return f"{pipeline}-{label_value(deployment).replace('_', '-')}-{moment:%Y%m%d%H%M%S}"


def run_labels(
    pipeline: str, deployment: str, *, config_hash: str = "", commit: str = "", owner: str = ""
) -> dict[str, str]:
    """What a run is found by: deployment, pipeline, config's hash, commit that CI submits, who answers for it."""
    labels = {
        "managed-by": MANAGED_BY,
        "vertex-vllm-deployment": label_value(deployment),
        "vertex-vllm-pipeline": label_value(pipeline),
    }
    optional = {"vertex-vllm-config-hash": config_hash, "vertex-vllm-commit": commit, OWNER_LABEL: owner}
    return labels | {key: label_value(value) for key, value in optional.items() if value}


def submit(submission: Submission) -> str:
    """Create the pipeline job and return its resource name. The Hub token's secret is pinned to a version first.

    Raises:
        ServiceError: there are no credentials, or the service refused it, with its words.
        SecretAccessError: there is no such secret, or we may not look at it.
        InputError: an image of the spec is not pinned by digest.
    """
    from vertex_vllm.google.error_boundary import google_errors
    from vertex_vllm.google.secret_manager import pinned

    where = f"projects/{submission.project}/locations/{submission.region}"
    parameters = {
        name: pinned(value) if name == "hf_token_secret" else value for name, value in submission.parameters.items()
    }
    with google_errors("Vertex AI Pipelines", where):
        try:
            job = pipeline_job(replace(submission, parameters=parameters))
            job.submit(service_account=submission.service_account)
        except ValueError as error:
            raise ServiceError(f"the pipeline job was refused: {error}", where=where) from error
    return str(job.resource_name)


def ensure_artifact_bucket(submission: Submission) -> None:
    """Makes the bucket for the runs' artifacts where there is none, as `PipelineJob.submit` does by itself.

    Raises ServiceError.
    """
    from google.cloud.aiplatform.utils import gcs_utils

    from vertex_vllm.google.error_boundary import google_errors

    with google_errors("Cloud Storage", submission.pipeline_root):
        gcs_utils.create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist(
            output_artifacts_gcs_dir=submission.pipeline_root,
            service_account=submission.service_account,
            project=submission.project,
            location=submission.region,
        )


def pipeline_job(submission: Submission) -> "PipelineJob":
    """The SDK's job, not submitted.

    Raises ValueError where the spec and the parameters do not fit, InputError as `Submission.spec_text`.
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
        )


@contextmanager
def spec_file(submission: Submission) -> Iterator[Path]:
    """The spec as it is sent, in a file that is gone afterwards: both SDKs read specs from files alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / submission.spec.name
        path.write_text(submission.spec_text(), encoding="utf-8")
        yield path


def console_address(resource_name: str) -> str:
    """Page of a pipeline job in the Google Cloud console."""
    _, project, _, region, _, name = resource_name.split("/")
    return f"https://console.cloud.google.com/vertex-ai/pipelines/locations/{region}/runs/{name}?project={project}"


def _quieten(prefix: str) -> None:
    """Each of the SDK's modules tells at length, on standard output, what the caller is about to be told."""
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith(prefix):
            logging.getLogger(name).setLevel(logging.WARNING)
