"""Secret Manager: one secret's value, by its resource name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import SecretAccessError, ServiceError
from vertex_vllm.google.error_boundary import enable_api, google_errors, refusal_of, worded
from vertex_vllm.google.iam import own_member
from vertex_vllm.google.shared_clients import google_client

# Secret Manager, "Create a secret": ids of at most 255 letters, digits, hyphens and underscores; a version is a number,
# `latest`, or an alias of at most 63 characters.
_REGIONAL_NAME = re.compile(
    r"projects/(?P<project>[A-Za-z0-9.:_-]+)/locations/(?P<location>[a-z0-9-]{1,63})/"
    r"secrets/(?P<secret>[A-Za-z0-9_-]{1,255})(/versions/[A-Za-z0-9_-]{1,63})?"
)
_VERSION_NAME = re.compile(
    r"projects/(?P<project>[A-Za-z0-9.:_-]+)/secrets/(?P<secret>[A-Za-z0-9_-]{1,255})/versions/(?P<version>[A-Za-z0-9_-]{1,63})"
)
_WRITE = 'printf %s "$HF_TOKEN" | gcloud secrets'


def read_secret(resource_name: str) -> str:
    """Value of the secret version `projects/P/secrets/S/versions/V` (V a number, an alias, or `latest`). Never logged.

    Raises SecretAccessError when the name is malformed, the secret is regional, does not exist or may not be read, its
    version is disabled or destroyed, or the value is empty or not text; ServiceError when Secret Manager is disabled or
    fails, or its checksum does not match.
    """
    _refuse_regional(resource_name)
    name = _VERSION_NAME.fullmatch(resource_name)
    if name is None:
        # Not echoed: a token pasted here by mistake must not reach a log.
        raise SecretAccessError(
            "not a name of a secret version",
            where="hf_token_secret",
            fix="Write projects/PROJECT/secrets/SECRET/versions/latest, and never the token itself.",
        )
    return _text(_payload(resource_name, name), resource_name)


def pinned(resource_name: str) -> str:
    """The resource name with the version's number in the place of `latest` or an alias; others are returned unchanged.

    A run with a numbered version reads the same one from its first step to its last. Reads no value. Raises
    SecretAccessError and ServiceError as `read_secret`.
    """
    _refuse_regional(resource_name)
    name = _VERSION_NAME.fullmatch(resource_name)
    if name is None or name["version"].isdecimal():
        return resource_name
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

    with _refusals(resource_name, name, "secretmanager.viewer"):
        found = google_client(SecretManagerServiceClient).get_secret_version(name=resource_name)
    number = found.name.rpartition("/")[2]
    return f"projects/{name['project']}/secrets/{name['secret']}/versions/{number}"


def _refuse_regional(resource_name: str) -> None:
    """Raises SecretAccessError for a regional secret, which only its location's own host has."""
    if name := _REGIONAL_NAME.fullmatch(resource_name):
        location, project = name["location"], name["project"]
        create = f'printf %s "$HF_TOKEN" | gcloud secrets create {name["secret"]} --data-file=- --project={project}'
        raise SecretAccessError(
            f"is a regional secret of {location}, and only global secrets are read",
            secret=resource_name,
            fix=f"Create a global one, kept there alone: {create} --replication-policy=user-managed "
            f"--locations={location}",
        )


def _payload(resource_name: str, name: re.Match[str]) -> bytes:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

    with _refusals(resource_name, name, "secretmanager.secretAccessor"):
        response = google_client(SecretManagerServiceClient).access_secret_version(name=resource_name)
    return _verified(response.payload.data, response.payload.data_crc32c, resource_name)


@contextmanager
def _refusals(resource_name: str, name: re.Match[str], role: str) -> Iterator[None]:
    """A refusal of Secret Manager as an error that says what to do; `role` is the role that allows the call."""
    from google.api_core.exceptions import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied

    with google_errors("Secret Manager", resource_name):
        try:
            yield
        except NotFound as error:
            refusal = refusal_of(error)
            fix = _make(name, refusal)
            raise SecretAccessError(refusal.words, secret=resource_name, fix=fix, refusal=refusal) from error
        except PermissionDenied as error:
            refusal = refusal_of(error)
            if enable_api(refusal):
                raise
            is_grant = worded(refusal, "permission-missing")
            said = f"this account may not read it: {refusal.words}" if is_grant else refusal.words
            fix = _grant(name, role) if is_grant else ""
            raise SecretAccessError(said, secret=resource_name, fix=fix, refusal=refusal) from error
        except (FailedPrecondition, InvalidArgument) as error:
            refusal = refusal_of(error)
            fix = _restore(name, refusal)
            raise SecretAccessError(refusal.words, secret=resource_name, fix=fix, refusal=refusal) from error


def _make(name: re.Match[str], refusal: Refusal) -> str:
    """The command that makes the secret or the version; Secret Manager does not always say which of them is missing."""
    secret, project = name["secret"], name["project"]
    create, add = f"{_WRITE} create {_data(name)}", f"{_WRITE} versions add {_data(name)}"
    if worded(refusal, "secret-version-missing"):
        return f"Name a version that exists: gcloud secrets versions list {secret} --project={project}"
    if worded(refusal, "secret-without-versions"):
        return f"If the secret exists, add a version: {add}; if not, create it: {create}"
    return f"Create it: {create}"


def _restore(name: re.Match[str], refusal: Refusal) -> str:
    """The command that brings a disabled version back, or replaces a destroyed one; empty for any other cause."""
    found = worded(refusal, "secret-version-state")
    if found is None:
        return ""
    if found["state"] == "DESTROYED":
        return f"Its value is gone for good. Add a version: {_WRITE} versions add {_data(name)}"
    secret = f"--secret={name['secret']} --project={name['project']}"
    enable = f"gcloud secrets versions enable {found['version']} {secret}"
    return f"Enable it: {enable}; or name a version that is enabled."


def _data(name: re.Match[str]) -> str:
    return f"{name['secret']} --data-file=- --project={name['project']}"


def _grant(name: re.Match[str], role: str) -> str:
    return (
        f"Grant it: gcloud secrets add-iam-policy-binding {name['secret']} --project={name['project']} "
        f"--member={own_member()} --role=roles/{role}"
    )


def _verified(data: bytes, crc32c: int, resource_name: str) -> bytes:
    import google_crc32c

    if google_crc32c.value(data) != crc32c:
        raise ServiceError(
            "the value that arrived does not match Secret Manager's checksum", where=resource_name, fix="Try again."
        )
    return data


def _text(data: bytes, resource_name: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        encoding = "in UTF-16, not in UTF-8" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "not text"
        raise SecretAccessError(
            f"the value is {encoding}",
            secret=resource_name,
            fix="Add a version that holds the token and nothing else.",
        ) from None
    if not text:
        raise SecretAccessError(
            "the value is empty",
            secret=resource_name,
            fix="Add a version that holds the token: gcloud secrets versions add.",
        )
    return text
