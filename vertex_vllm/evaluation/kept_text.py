"""A text in Cloud Storage that only saves a later attempt work."""

import logging

from vertex_vllm.errors import VertexVllmError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client

log = logging.getLogger(__name__)


class KeptText:
    """An object of JSON Lines, best effort: a failed read or write is logged with its consequence, never raised."""

    def __init__(self, project: str, bucket: str, name: str) -> None:
        self._blob = storage_client(project).bucket(bucket).blob(name)
        self._place = f"gs://{bucket}/{name}"

    def read(self, consequence: str) -> str:
        """The text; empty where the object does not exist or cannot be read. `consequence` is logged then."""
        from google.api_core.exceptions import NotFound

        try:
            with google_errors("Cloud Storage", self._place):
                try:
                    return str(self._blob.download_as_bytes().decode(errors="replace"))
                except NotFound:
                    return ""
        except VertexVllmError as error:
            log.warning("%s: %s", consequence, error)
            return ""

    def write(self, text: str, consequence: str) -> bool:
        """Replaces the object. False, with `consequence` in the log, if Cloud Storage refuses."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        try:
            with google_errors("Cloud Storage", self._place):
                self._blob.upload_from_string(text, content_type="application/jsonl", retry=DEFAULT_RETRY)
        except VertexVllmError as error:
            log.warning("%s: %s", consequence, error)
            return False
        return True
