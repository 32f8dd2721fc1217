"""Trace files, on this machine or in Cloud Storage."""

from pathlib import Path

from vertex_vllm.errors import InputError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.load.profiles import Trace, parse_trace, read_trace

_MOST_BYTES = 64 << 20
_WHERE = "evaluation.load.trace"


def open_trace(address: str) -> Trace:
    """`address`: a path or gs://BUCKET/OBJECT.

    Raises InputError for what is not a trace or larger than 64 MiB, ServiceError in Cloud Storage's own words.
    """
    if not address.startswith("gs://"):
        return read_trace(Path(address))
    return parse_trace(_download(address), address.rpartition("/")[2], address)


def _download(address: str) -> str:
    from google.cloud.storage import Client

    bucket, _, name = address.removeprefix("gs://").partition("/")
    if not name:
        raise InputError(f"`{address}` names no object", where=_WHERE, fix="Write gs://BUCKET/OBJECT.")
    with google_errors("Cloud Storage", address):
        blob = Client().bucket(bucket).get_blob(name)
        if blob is None:
            raise InputError(f"{address} does not exist", where=_WHERE, fix="Upload the trace, or name a profile.")
        if (blob.size or 0) > _MOST_BYTES:
            raise InputError(f"{address} is larger than {_MOST_BYTES >> 20} MiB", where=_WHERE, fix="Cut the trace.")
        data: bytes = blob.download_as_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"The trace is not UTF-8: {error}", where=address) from error
