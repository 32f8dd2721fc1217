"""Names that follow from a deployment and its project."""

import hashlib
from collections.abc import Iterable

# Artifact Registry repositories: of images (format Docker), and of compiled pipelines (format KFP).
IMAGES_REPOSITORY = "vertex-vllm"
TEMPLATES_REPOSITORY = "vertex-vllm-templates"

# Cloud Storage: "Bucket names must be between 3 and 63 characters"; five are left for `runs_bucket`.
_BUCKET_LENGTH = 58


def default_bucket(project: str, region: str) -> str:
    """Bucket of a deployment that names none: `PROJECT-vertex-vllm-REGION`, shortened with a hash where too long."""
    name = f"{project}-vertex-vllm-{region}".replace(":", "-").replace(".", "-")
    if len(name) <= _BUCKET_LENGTH:
        return name
    suffix = f"-vertex-vllm-{region}-{hashlib.sha256(project.encode()).hexdigest()[:6]}"
    return name[: _BUCKET_LENGTH - len(suffix)] + suffix


def runs_bucket(project: str, region: str) -> str:
    """Bucket of the artifacts that pipeline runs put out. Not the one with the weights, which the first run makes."""
    return f"{default_bucket(project, region)}-runs"


def regions_of(fallbacks: Iterable[str]) -> tuple[str, ...]:
    """Regions of `REGION/MACHINE_TYPE` entries, each once, in their order."""
    return tuple(dict.fromkeys(entry.partition("/")[0] for entry in fallbacks))


def secret_version_name(secret: str, project: str) -> str:
    """Resource name of the secret's version, `projects/P/secrets/S/versions/V`; without one the latest; "" stays ""."""
    if not secret:
        return ""
    name = secret if "/" in secret else f"projects/{project}/secrets/{secret}"
    return name if "/versions/" in name else f"{name}/versions/latest"
