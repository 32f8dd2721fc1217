"""Suites in Cloud Storage: reading a user's own, and writing the one that a run reads."""

import errno
import hashlib

from vertex_vllm.errors import InputError
from vertex_vllm.evaluation.suites.suite import Suite, to_bundle
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client

FOLDER = "suites"


def object_reader(folder: str, project: str = "") -> "ReadObject":
    """Reads objects below `folder` (gs://BUCKET/PREFIX). Raises InputError for a folder that has no bucket."""
    bucket, _, prefix = folder.removeprefix("gs://").partition("/")
    if not bucket:
        raise InputError(
            f"{folder} names no bucket", where="evaluation.suite", fix="Write gs://BUCKET/PATH/suite.yaml."
        )
    return ReadObject(bucket, prefix, project)


class ReadObject:
    """Bytes of an object by its name relative to a folder."""

    def __init__(self, bucket: str, prefix: str, project: str) -> None:
        self._bucket, self._prefix, self._project = bucket, prefix.strip("/"), project

    def __call__(self, name: str) -> bytes:
        """Raises FileNotFoundError; ServiceError where Cloud Storage refuses."""
        from google.api_core.exceptions import NotFound
        from google.cloud.storage.retry import DEFAULT_RETRY

        path = f"{self._prefix}/{name}" if self._prefix else name
        with google_errors("Cloud Storage", f"gs://{self._bucket}/{path}"):
            try:
                blob = storage_client(self._project).bucket(self._bucket).blob(path)
                content: bytes = blob.download_as_bytes(retry=DEFAULT_RETRY)
            except NotFound:
                raise FileNotFoundError(errno.ENOENT, "no such object") from None
        return content


def put_suite(suite: Suite, project: str, bucket: str) -> str:
    """Writes the suite as one document, named by its content, and returns its gs:// address.

    Raises ServiceError where Cloud Storage refuses, for example because the bucket does not exist yet.
    """
    from google.cloud.storage.retry import DEFAULT_RETRY

    text = to_bundle(suite)
    name = f"{FOLDER}/{suite.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    with google_errors("Cloud Storage", f"gs://{bucket}/{name}"):
        blob = storage_client(project).bucket(bucket).blob(name)
        blob.upload_from_string(text, content_type="application/json", retry=DEFAULT_RETRY)
    return f"gs://{bucket}/{name}"
