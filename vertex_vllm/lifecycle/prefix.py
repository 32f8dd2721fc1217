"""Deleting the objects under one prefix of a bucket of ours."""

import re

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import storage

from vertex_vllm.errors import InputError, ServiceError, TeardownError
from vertex_vllm.google.error_boundary import CLOUD_STORAGE, google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.google.storage_words import words_of_error
from vertex_vllm.labels import is_ours

_PREFIX = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]+)/(?P<path>[^/].*?)/*")


def split_prefix(prefix: str) -> tuple[str, str]:
    """Bucket and path of `gs://bucket/path`. Raises InputError for anything else, a whole bucket among it."""
    match = _PREFIX.fullmatch(prefix)
    if match is None:
        raise InputError(f"`{prefix}` is not a prefix in a bucket", fix="Write gs://BUCKET/PATH.")
    return match["bucket"], match["path"]


def delete_objects(project: str, prefix: str) -> int:
    """Deletes every object under `gs://bucket/path/` and returns their number.

    A bucket or object that is gone is success. Raises TeardownError where the bucket is not labelled as this project's,
    and ServiceError for what Cloud Storage refuses.
    """
    bucket_name, path = split_prefix(prefix)
    with google_errors(CLOUD_STORAGE, prefix):
        client = storage_client(project)
        bucket = client.lookup_bucket(bucket_name)
        if bucket is None:
            return 0
        if not is_ours(bucket.labels):
            raise TeardownError(
                "The bucket does not carry this project's label, so nothing in it is deleted", where=prefix
            )
        blobs = list(client.list_blobs(bucket_name, prefix=f"{path}/"))
        # The manifest first, because it states that the files beside it are complete.
        blobs.sort(key=lambda blob: not blob.name.endswith("manifest.json"))
        refused = [refusal for blob in blobs if (refusal := _delete_blob(blob))]
    if refused:
        raise ServiceError(f"{len(refused)} of {len(blobs)} objects are still there, {refused[0]}", where=prefix)
    return len(blobs)


def _delete_blob(blob: storage.Blob) -> str:
    """Deletes an object; returns why it could not be deleted, or an empty text, so that the other objects are tried."""
    try:
        # With the generation, a repeated request cannot delete a newer object.
        blob.delete(if_generation_match=blob.generation)
    except NotFound:
        return ""
    except GoogleAPICallError as error:
        return f"{blob.name}: {CLOUD_STORAGE} answered {words_of_error(error)}"
    return ""
