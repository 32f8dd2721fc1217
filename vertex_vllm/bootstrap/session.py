"""Sends the requests of bootstrap: retries while a change spreads through Google Cloud; words errors for a person."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from vertex_vllm.bootstrap.setup_steps import Fields, Request
from vertex_vllm.errors import ServiceError
from vertex_vllm.google.error_boundary import google_errors, worded
from vertex_vllm.google.shared_clients import default_credentials
from vertex_vllm.google.storage_words import json_words
from vertex_vllm.retries import TransientError, retry_after, with_retries

# Seconds. An API that was just enabled, and an account that was just made, take up to a minute or two to be known
# everywhere (Service Usage, "Enabling services"; IAM, "Create service accounts").
_PATIENCE = 180
_OPERATION_SECONDS = 600
_POLL_SECONDS = 1.0
_TIMEOUT_SECONDS = 60


Answer = TypeVar("Answer")


class Session(Protocol):
    """As `google.auth.transport.requests.AuthorizedSession`."""

    def request(self, method: str, url: str, *, json: Any, timeout: float) -> Any: ...


class NotThereError(ServiceError):
    """The resource that a request is about does not exist, or its API is disabled."""


class DeniedError(ServiceError):
    """The caller lacks a permission."""


class ConflictError(ServiceError):
    """Another caller created the resource, or changed it since it was read."""


def authorized_session() -> Session:
    """Raises ServiceError without credentials."""
    from google.auth.transport.requests import AuthorizedSession

    with google_errors("Google Cloud", "credentials"):
        session: Session = AuthorizedSession(default_credentials())
    return session


def look(session: Session, request: Request) -> Fields | None:
    """The answer; None where the resource does not exist, or its API is not enabled yet."""
    try:
        return ask(session, request)
    except NotThereError:
        return None


def ask(session: Session, request: Request) -> Fields:
    """The answer, without waiting for an API that was just enabled. Raises ServiceError, among them NotThereError."""
    return _answer(session, request, patient=False)


def send(session: Session, request: Request) -> Fields:
    """The answer; for a long-running operation, its answer at the end.

    Raises ServiceError, among them NotThereError and ConflictError.
    """
    answer = _answer(session, request, patient=True)
    host = request.url.split("/v", 1)[0]
    deadline = time.monotonic() + _OPERATION_SECONDS
    while "/operations/" in f"/{answer.get('name', '')}" and not answer.get("done"):
        if time.monotonic() > deadline:
            raise ServiceError(f"takes longer than {_OPERATION_SECONDS} s", where=request.url, fix="Run this again.")
        time.sleep(_POLL_SECONDS)
        answer = _answer(session, Request("GET", f"{host}/v1/{answer['name']}"), patient=True)
    if "error" in answer:
        refusal = json_words(200, json.dumps({"error": answer["error"]}).encode())
        raise ServiceError(refusal.words, where=request.url, refusal=refusal)
    return answer


def until_there(ask: Callable[[], Answer]) -> Answer:
    """Answer of `ask`, repeated while a resource that was just created does not exist for it.

    Reads of IAM are eventually consistent: an account answers 404 for some seconds after it was created (IAM, "Create
    service accounts", read 2026-11-30). Raises NotThereError when it still does not exist after three minutes.
    """

    def once() -> Answer:
        try:
            return ask()
        except NotThereError as error:
            raise _NotYetError(str(error)) from error

    try:
        return with_retries(once, seconds=_PATIENCE)
    except _NotYetError as error:
        raise error.__cause__ or error from None


class _NotYetError(TransientError):
    """A thing that was just made is not known everywhere yet."""


def _answer(session: Session, request: Request, *, patient: bool) -> Fields:
    try:
        with google_errors("Google Cloud", request.url):
            return with_retries(lambda: _once(session, request, patient), seconds=_PATIENCE)
    except TransientError as error:
        fix = "Run this again: it continues where it stopped."
        raise ServiceError(str(error), where=request.url, fix=fix) from error


def _once(session: Session, request: Request, patient: bool) -> Fields:
    response = session.request(request.method, request.url, json=request.body, timeout=_TIMEOUT_SECONDS)
    if response.ok:
        fields: Fields = response.json() if response.content else {}
        return fields
    refusal = json_words(response.status_code, response.content)
    disabled = worded(refusal, "service-disabled")
    unknown_account = response.status_code == 400 and worded(refusal, "unknown-account")
    if refusal.retryable or (patient and (disabled or unknown_account)):
        raise TransientError(refusal.words, retry_after(response.headers))
    if response.status_code == 404 or disabled:
        raise NotThereError(refusal.words, where=request.url, refusal=refusal)
    if response.status_code in (409, 412):
        raise ConflictError(refusal.words, where=request.url, refusal=refusal)
    said = f"{request.method} was answered with {response.status_code}: {refusal.words}"
    if response.status_code == 403:
        fix = "Bootstrap is for somebody with roles/owner on the project."
        raise DeniedError(said, where=request.url, fix=fix, refusal=refusal)
    raise ServiceError(said, where=request.url, refusal=refusal)
