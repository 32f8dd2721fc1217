"""The sources of a build: an archive in Cloud Storage, read as the build's account."""

import io
import json
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from typing import Any
from urllib.parse import quote

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import member_of
from localcloud.core.cloud import Cloud

_STORAGE_SECONDS = 30


class BuildFailedError(Exception):
    """A step of the build failed; the message is the last line of its log."""


def refusal(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)


def dockerfile_of(args: list[str]) -> str:
    """The Dockerfile that a step's `docker build` reads; "" for a step that runs something else."""
    if args[:1] != ["build"]:
        return ""
    for index, argument in enumerate(args):
        if argument in ("-f", "--file") and index + 1 < len(args):
            return args[index + 1]
        if argument.startswith("--file="):
            return argument.partition("=")[2]
    return "Dockerfile"


def files_of(source: bytes) -> set[str]:
    """Names of the files in the archive. Raises BuildFailedError."""
    try:
        with tarfile.open(fileobj=io.BytesIO(source), mode="r:gz") as archive:
            return {member.name.removeprefix("./") for member in archive.getmembers()}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BuildFailedError(f"the source is not a gzipped tar archive: {error}") from error


def read_object(cloud: Cloud, source: Any, account: str, *, metadata: bool = False) -> bytes | None:
    """The object's bytes, or its metadata as JSON, read as the build's account; None if the object does not exist.

    Raises ApiError INVALID_ARGUMENT in the words of the service when the account may not read it.
    """
    url = (
        f"http://127.0.0.1:{cloud.ports.storage}/storage/v1/b/{quote(source.bucket)}/o/{quote(source.object_, safe='')}"
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    bearer = {"Authorization": f"Bearer {cloud.token_of(member_of(account))}"}
    asked = {"alt": "json" if metadata else "media", **({"generation": source.generation} if source.generation else {})}
    request = urllib.request.Request(f"{url}?{urllib.parse.urlencode(asked)}", headers=bearer)
    try:
        with direct.open(request, timeout=_STORAGE_SECONDS) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        if error.code == 403:
            words = json.loads(error.read())["error"]["message"]
            raise refusal(f"could not resolve source: googleapi: Error 403: {words}, forbidden") from error
        raise ApiError("UNAVAILABLE", f"Cloud Storage answered {error.code} for {source.object_}.") from error
