"""Names that follow from a deployment and its project."""

import hashlib
from collections.abc import Iterable

# Artifact Registry repositories: of images (format Docker), and of compiled pipelines (format KFP).
IMAGES_REPOSITORY = "vertex-vllm"
TEMPLATES_REPOSITORY = "vertex-vllm-templates"

# Service accounts that `vertex-vllm bootstrap` creates in a project.
PIPELINE_ACCOUNT = "vertex-vllm-pipeline"
SERVING_ACCOUNT = "vertex-vllm-serving"
CI_ACCOUNT = "vertex-vllm-ci"
BUILD_ACCOUNT = "vertex-vllm-build"
PLAN_ACCOUNT = "vertex-vllm-plan"

# Cloud Storage: "Bucket names must be between 3 and 63 characters"; five are left for the endings.
_BUCKET_LENGTH = 58


def default_bucket(project: str, region: str) -> str:
    """Bucket of a deployment that names none: `PROJECT-vertex-vllm-REGION`, shortened with a hash where too long."""
    name = f"{project}-vertex-vllm-{region}".replace(":", "-").replace(".", "-")
    if len(name) <= _BUCKET_LENGTH:
        return name
    suffix = f"-vertex-vllm-{region}-{hashlib.sha256(project.encode()).hexdigest()[:6]}"
    return name[: _BUCKET_LENGTH - len(suffix)] + suffix


def runs_bucket(project: str, region: str) -> str:
    """Bucket of the artifacts of pipeline runs. The weights have another bucket, which the first run creates."""
    return f"{default_bucket(project, region)}-runs"


def sources_bucket(project: str, region: str) -> str:
    """Bucket of the archives that the image of the steps is built from: no run and no CI may write there."""
    return f"{default_bucket(project, region)}-srcs"


def account_email(account_id: str, project: str) -> str:
    """Email of a service account of the project.

    A project of a domain, `example.com:name`, has the domain behind its name there (IAM, "Service account name").
    """
    domain, _, name = project.rpartition(":")
    return f"{account_id}@{name}{f'.{domain}' if domain else ''}.iam.gserviceaccount.com"


def serving_account(given: str, project: str) -> str:
    """Email of the account that the container runs as: the given one, or the one that bootstrap creates.

    Never empty: a DeployedModel without a service account "runs as a service account that doesn't have access to the
    resource project" (google.cloud.aiplatform.v1beta1.DeployedModel.service_account, read 2026-11-30).
    """
    return given or account_email(SERVING_ACCOUNT, project)


def regions_of(fallbacks: Iterable[str]) -> tuple[str, ...]:
    """Regions of `REGION/MACHINE_TYPE` entries, each once, in their order."""
    return tuple(dict.fromkeys(entry.partition("/")[0] for entry in fallbacks))


def secret_version_name(secret: str, project: str) -> str:
    """Resource name of the secret's version, `projects/P/secrets/S/versions/V`; without one the latest; "" stays ""."""
    if not secret:
        return ""
    name = secret if "/" in secret else f"projects/{project}/secrets/{secret}"
    return name if "/versions/" in name else f"{name}/versions/latest"
