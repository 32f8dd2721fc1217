"""The page of a run that says most: its evaluation's report, else why a step failed, else its plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from vertex_vllm.runs.engine import Run

# The first that the run has put out.
_PAGES = (
    ("evaluate-endpoint", "report", "report"),
    ("deploy-model", "diagnosis_page", "diagnosis"),
    ("smoke-test-text", "diagnosis_page", "diagnosis"),
    ("smoke-test-image", "diagnosis_page", "diagnosis"),
    ("evaluate-endpoint", "diagnosis_page", "diagnosis"),
    ("plan-serving", "page", "plan"),
)


def save_page(run: "Run", project: str, folder: Path) -> Path:
    """Writes the page into `folder` and returns its path. Raises InputError where the run has none, ServiceError."""
    for step, artifact, kind in _PAGES:
        found = run.output(step, artifact)
        content = _read(found.uri, project) if found else b""
        if content:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{run.name.rpartition('/')[2]}-{kind}.html"
            path.write_bytes(content)
            return path
    raise InputError(
        "the run has written no page yet: neither report nor plan",
        where=run.name,
        fix=f"Wait for its step plan-serving: vertex-vllm runs watch {run.name}",
    )


def _read(uri: str, project: str) -> bytes:
    """The object's text; empty if it does not exist: an artifact has its address before its step has written it."""
    from google.api_core.exceptions import NotFound
    from google.cloud.storage import Blob

    from vertex_vllm.google.error_boundary import CLOUD_STORAGE, google_errors
    from vertex_vllm.google.storage_client import storage_client

    with google_errors(CLOUD_STORAGE, uri):
        try:
            return bytes(Blob.from_uri(uri, client=storage_client(project)).download_as_bytes())
        except NotFound:
            return b""
