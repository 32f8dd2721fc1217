"""The prefix of a mirror: one for each commit of a model."""

import re

from vertex_vllm.errors import BucketError
from vertex_vllm.google.deployment_bucket import check_bucket_name
from vertex_vllm.hub.hub_names import check_commit, check_model_id


def destination(bucket: str, model_id: str, commit: str) -> str:
    """`gs://bucket/models/OWNER/NAME/COMMIT`; `bucket` may be given as `gs://bucket` too.

    Raises BucketError, InputError or RevisionNotFoundError for a malformed name.
    """
    name = check_bucket_name(bucket.removeprefix("gs://").rstrip("/"))
    return f"gs://{name}/models/{check_model_id(model_id)}/{check_commit(commit)}"


def split_destination(uri: str) -> tuple[str, str]:
    """Bucket and prefix of `gs://bucket/prefix`, without slashes around. Raises BucketError."""
    parts = re.fullmatch(r"gs://([^/]+)/([^/].*?)/?", uri)
    if parts is None:
        raise BucketError(
            f"{uri!r} is not a prefix in Cloud Storage",
            bucket="",
            where="destination",
            fix="Write gs://BUCKET/PREFIX.",
        )
    return check_bucket_name(parts[1]), parts[2]
