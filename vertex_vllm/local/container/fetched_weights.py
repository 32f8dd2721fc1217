"""Weights from Cloud Storage to the container's disk, before vLLM begins to serve."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

SCHEME = "gs://"
_PARALLEL_DOWNLOADS = 8


class WeightsError(Exception):
    """The weights could not be fetched."""


def fetch_weights(uri: str, destination: Path, report: Callable[[str], None]) -> Path:
    """Copies all objects under `uri` into `destination`, checksums verified, and returns it.

    `report` is called with a line for each file. Raises WeightsError with the service's message.
    """
    started = time.monotonic()
    bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    try:
        blobs = [blob for blob in storage.Client().list_blobs(bucket, prefix=folder) if not blob.name.endswith("/")]
        if not blobs:
            raise WeightsError(f"There are no objects under {uri}")
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            for line in pool.map(lambda blob: _download(blob, folder, destination), _largest_first(blobs)):
                report(line)
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise WeightsError(f"{uri} could not be fetched: {error}") from error
    megabytes = sum(blob.size for blob in blobs) / 1e6
    report(f"{uri}: {len(blobs)} files, {megabytes:.1f} MB in {time.monotonic() - started:.1f} s")
    return destination


def _largest_first(blobs: list[storage.Blob]) -> list[storage.Blob]:
    return sorted(blobs, key=lambda blob: -blob.size)


def _download(blob: storage.Blob, folder: str, destination: Path) -> str:
    relative = PurePosixPath(blob.name.removeprefix(folder))
    if relative.is_absolute() or ".." in relative.parts:
        raise WeightsError(f"gs://{blob.bucket.name}/{blob.name} has a name that leads out of its folder")
    path = destination / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    blob.download_to_filename(str(path))
    return f"fetched {relative}, {blob.size / 1e6:.1f} MB"
