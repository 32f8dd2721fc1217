"""A compiled spec with its parameters: everything that an engine needs to start a run."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vertex_vllm.labels import (
    COMMIT_LABEL,
    CONFIG_LABEL,
    DEPLOYMENT_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_LABEL,
    PIPELINE_LABEL,
    label_value,
)
from vertex_vllm.redaction import refuse_secrets
from vertex_vllm.runs.specs import require_pinned, with_image


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
    """Name of a run, from pipeline, deployment and time: names of one deployment sort by time."""
    moment = at or datetime.now(UTC)
    return f"{pipeline}-{label_value(deployment).replace('_', '-')}-{moment:%Y%m%d%H%M%S}"


def run_labels(
    pipeline: str, deployment: str, *, config_hash: str = "", commit: str = "", owner: str = ""
) -> dict[str, str]:
    """Labels of a run: deployment, pipeline, the config's hash, the commit that CI submits, the owner."""
    labels = {
        MANAGED_BY_LABEL: MANAGED_BY,
        DEPLOYMENT_LABEL: label_value(deployment),
        PIPELINE_LABEL: label_value(pipeline),
    }
    optional = {CONFIG_LABEL: config_hash, COMMIT_LABEL: commit, OWNER_LABEL: owner}
    return labels | {key: label_value(value) for key, value in optional.items() if value}


@contextmanager
def spec_file(submission: Submission) -> Iterator[Path]:
    """The spec as it is sent, in a temporary file: both SDKs read specs only from files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / submission.spec.name
        path.write_text(submission.spec_text(), encoding="utf-8")
        yield path
