"""The boundary to Google's clients: what they raise becomes a `Refusal`, and an error that a person understands."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

import requests
import yaml
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError, RetryError, from_grpc_status
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
from google.rpc import error_details_pb2, status_pb2

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import (
    DeploymentError,
    RegionClosedError,
    ServiceError,
    TeardownError,
    UnreachableError,
    VertexVllmError,
)
from vertex_vllm.google.iam import own_member
from vertex_vllm.google.storage_words import refused_by_storage, words_of_error
from vertex_vllm.network.faults import network_fault

CLOUD_STORAGE = "Cloud Storage"
VERTEX_AI = "Vertex AI"
_HOSTS = {CLOUD_STORAGE: "https://storage.googleapis.com"}
_LOGIN = "Run `gcloud auth application-default login`, or give the job a service account."
_PLACE = re.compile(r"projects/(?P<project>[^/]+)(/locations/(?P<region>[^/]+))?")


@contextmanager
def google_errors(
    service: str,
    where: str = "",
    *,
    doing: str = "",
    error: type[DeploymentError] | type[ServiceError] | type[TeardownError] = ServiceError,
) -> Iterator[None]:
    """Errors of a Google client inside become `error`, with `service` named, its refusal, and `where` or `doing`.

    `where`: resource; `doing`: the action, as "Deploying x@1". A missing or unusable bucket is a BucketError, a region
    that the project may not use a RegionClosedError, missing credentials a ServiceError, and a host that cannot be
    reached an UnreachableError where `error` is ServiceError.
    """
    begin = f"{doing}: " if doing else ""
    try:
        yield
    except DefaultCredentialsError as missing:
        raise ServiceError(f"{begin}no Google credentials to call {service} with", where=where, fix=_LOGIN) from missing
    except (RetryError, TransportError, requests.RequestException) as away:
        raise _unreached(away, service, where, begin, error) from away
    except GoogleAuthError as unusable:
        said = f"{begin}no usable Google credentials for {service}: {refusal_of(unusable)}"
        raise ServiceError(said, where=where, fix=_LOGIN) from unusable
    except GoogleAPIError as refused:
        refusal = words_of_error(refused) if service == CLOUD_STORAGE else refusal_of(refused)
        if worded(refusal, "region-closed"):
            fix = "Leave that region out."
            raise RegionClosedError(refusal.words, where=where or doing, fix=fix, refusal=refusal) from refused
        if service == CLOUD_STORAGE and not doing and isinstance(refused, GoogleAPICallError):
            raise refused_by_storage(refusal, where, service) from refused
        said = f"{begin}{service} answered {refusal}" if doing else f"{service}: {refusal.words}"
        raise error(said, where=where, fix=remedy(refusal), refusal=refusal) from refused


def _unreached(
    away: Exception,
    service: str,
    where: str,
    begin: str,
    error: type[DeploymentError] | type[ServiceError] | type[TeardownError],
) -> VertexVllmError:
    """A service that did not answer, with the cause that the network gave."""
    fault = network_fault(away, _HOSTS.get(service, ""))
    if fault.fix:
        kind = UnreachableError if error is ServiceError else error
        return kind(f"{begin}{service}: {fault.message}", where=where, fix=fault.fix)
    cause = getattr(away, "cause", None)
    refusal = refusal_of(cause if isinstance(cause, Exception) else away)
    return error(f"{begin}{service} gave no answer: {refusal.words}", where=where, refusal=refusal)


def refusal_of(error: Exception) -> Refusal:
    """The refusal in an error of a Google client, over gRPC or REST; for any other error, its text as the message."""
    if isinstance(getattr(getattr(error, "response", None), "content", None), bytes):
        return words_of_error(error)
    if not isinstance(error, GoogleAPICallError):
        return Refusal("", str(error))
    details = {str(key): str(value) for key, value in dict(error.metadata or {}).items()}
    return Refusal(
        code=error.grpc_status_code.name if error.grpc_status_code else str(error.code),
        message=str(error.message or error),
        reason=error.reason or "",
        resource=details.get("resource", ""),
        details=details,
    )


def refusal_in(status: status_pb2.Status) -> Refusal:
    """The refusal in the error of a long-running operation."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            break
    raised = from_grpc_status(status.code, status.message)
    return Refusal(
        code=raised.grpc_status_code.name if raised.grpc_status_code else str(status.code),
        message=status.message,
        reason=info.reason,
        resource=info.metadata.get("resource", ""),
        details=dict(info.metadata),
    )


@cache
def _wordings() -> dict[str, re.Pattern[str]]:
    rows = yaml.safe_load(files("vertex_vllm").joinpath("refusal_wordings.yaml").read_text(encoding="utf-8"))
    return {name: re.compile(row["says"]) for name, row in rows.items()}


def worded(refusal: Refusal, cause: str) -> re.Match[str] | None:
    """The match of a cause of refusal_wordings.yaml in the service's words; None where they name another cause."""
    return _wordings()[cause].search(f"{refusal.reason} {refusal.message}")


def remedy(refusal: Refusal) -> str:
    """The command that removes the cause: a disabled API or a missing permission; empty for any other cause."""
    return enable_api(refusal) or _grant(refusal) or _act_as(refusal)


def _grant(refusal: Refusal) -> str:
    if refusal.reason != "IAM_PERMISSION_DENIED":
        return ""
    found = _PLACE.search(refusal.resource)
    project, region = (found["project"], found["region"] or "REGION") if found else ("PROJECT", "REGION")
    command = f"vertex-vllm bootstrap --project {project} --region {region}"
    lacking = f"{own_member()} lacks {refusal.details.get('permission', 'a permission')}"
    return f"{lacking}. Run `{command}`: it grants each account what it needs (docs/security.md)."


def _act_as(refusal: Refusal) -> str:
    found = worded(refusal, "act-as")
    if found is None:
        return ""
    return (
        f"Grant it: gcloud iam service-accounts add-iam-policy-binding {found['account']} --member={own_member()} "
        "--role=roles/iam.serviceAccountUser"
    )


def enable_api(refusal: Refusal) -> str:
    """The command that enables the API which refused because it is disabled; empty for any other refusal."""
    off = worded(refusal, "service-disabled")
    if off is None:
        return ""
    service = refusal.details.get("service") or off["service"] or "SERVICE"
    project = refusal.details.get("consumer", "").removeprefix("projects/") or off["project"] or "PROJECT"
    return f"Run `gcloud services enable {service} --project={project}`, wait a minute, try again."
