"""Cloud Build's record of an image's sources, against the sources in this checkout."""

import gzip
import hashlib
from typing import Any

from vertex_vllm.errors import ServiceError


def require_provenance(bucket: str, name: str, archive: bytes, build: Any) -> None:
    """Raises ServiceError unless the finished `build` read exactly these sources, by Cloud Build's own record.

    `bucket`, `name`: of the object with the archive. Another build of the same tag, or another generation of the
    object, would give an image of other code, which runs as the pipelines' account.
    """
    read = build.source_provenance.resolved_storage_source
    where = f"gs://{read.bucket}/{read.object_}#{read.generation}"
    if (read.bucket, read.object_) != (bucket, name) or not read.generation:
        raise _other_sources(f"it read {where}", build)
    content = _generation(build.project_id, bucket, name, read.generation)
    if content is None or not same_sources(content, archive):
        raise _other_sources(f"{where} holds another archive, or is gone", build)
    # Cloud Build names them where it was asked for them, as `gs://BUCKET/OBJECT#GENERATION`.
    hashes = [one.value for files in build.source_provenance.file_hashes.values() for one in files.file_hash]
    if hashlib.sha256(content).digest() not in hashes:
        raise _other_sources(f"the hash that it recorded is not that of {where}", build)


def same_sources(one: bytes, other: bytes) -> bool:
    """Whether two archives hold the same tar: compressors differ between versions."""
    return _tar(one) == _tar(other)


def _tar(archive: bytes) -> bytes:
    """Of an archive; all else is itself."""
    try:
        return gzip.decompress(archive)
    except (OSError, EOFError):
        return archive


def _generation(project: str, bucket: str, name: str, generation: int) -> bytes | None:
    from google.api_core.exceptions import NotFound
    from google.cloud.storage import Client

    try:
        return bytes(Client(project=project).bucket(bucket).blob(name, generation=generation).download_as_bytes())
    except NotFound:
        return None


def _other_sources(what: str, build: Any) -> ServiceError:
    return ServiceError(
        f"build {build.id} was not made from the sources that lie here: {what}",
        where=build.log_url,
        fix="Find out who began it, delete its image, and run this again.",
    )
