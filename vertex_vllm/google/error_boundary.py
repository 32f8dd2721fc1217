"""What a Google client raised in the end, said so that a person knows what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError, RetryError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

from vertex_vllm.errors import RegionClosedError, ServiceError, UnreachableError
from vertex_vllm.google.iam import own_member
from vertex_vllm.google.storage_words import refused_by_storage, words_of_error
from vertex_vllm.network.faults import network_fault

CLOUD_STORAGE = "Cloud Storage"
_HOSTS = {CLOUD_STORAGE: "https://storage.googleapis.com"}


@contextmanager
def google_errors(service: str, where: str) -> Iterator[None]:
    """Errors of a Google client inside become ServiceError, with `service` named and `where` for the resource.

    Those of Cloud Storage become BucketError where the bucket is missing, or set up so that it cannot be used; a
    service that cannot be reached becomes UnreachableError.
    """
    try:
        yield
    except DefaultCredentialsError as error:
        raise ServiceError(
            f"no Google credentials to call {service} with",
            where=where,
            fix="Run `gcloud auth application-default login`, or give the job a service account.",
        ) from error
    except (RetryError, TransportError, requests.ConnectionError, requests.Timeout) as error:
        raise _unreached(error, service, where) from error
    except (GoogleAPIError, GoogleAuthError) as error:
        raise_if_closed(error, where)
        if service == CLOUD_STORAGE and isinstance(error, GoogleAPICallError):
            raise refused_by_storage(words_of_error(error), where, service) from error
        raise ServiceError(f"{service}: {words(error)}", where=where, fix=remedy(error)) from error


def _unreached(error: Exception, service: str, where: str) -> ServiceError:
    """A service that did not answer, with the cause that the network gave."""
    fault = network_fault(error, _HOSTS.get(service, ""))
    if fault.fix:
        return UnreachableError(f"{service}: {fault.message}", where=where, fix=fault.fix)
    cause = getattr(error, "cause", None)
    return ServiceError(f"{service}: {words(cause if isinstance(cause, Exception) else error)}", where=where)


_PLACE = re.compile(r"projects/(?P<project>[^/]+)(/locations/(?P<region>[^/]+))?")
_CLOSED = "LOCATION_POLICY_VIOLATED"


def raise_if_closed(error: Exception, where: str) -> None:
    """Raises RegionClosedError where a service refused because the project may not use the region.

    me-central2 and its like answer so to ordinary projects (firezone#7711): nothing of the project can be there.
    """
    if isinstance(error, GoogleAPICallError) and _CLOSED in f"{error.reason} {error}":
        raise RegionClosedError(words(error), where=where, fix="Leave that region out.") from error


def words(error: Exception) -> str:
    """The service's own words, without the request that they answer."""
    if isinstance(getattr(getattr(error, "response", None), "content", None), bytes):
        return str(words_of_error(error))
    return str(getattr(error, "message", "") or error)


def remedy(error: Exception) -> str:
    """The command that removes the cause: a disabled API, a permission that nobody granted; empty for any other."""
    return enable_api(error) or _grant(error) or _act_as(error)


def _grant(error: Exception) -> str:
    if not isinstance(error, GoogleAPICallError) or error.reason != "IAM_PERMISSION_DENIED":
        return ""
    facts: dict[str, str] = dict(error.metadata or {})
    found = _PLACE.search(facts.get("resource", ""))
    project, region = (found["project"], found["region"] or "REGION") if found else ("PROJECT", "REGION")
    command = f"vertex-vllm bootstrap --project {project} --region {region}"
    lacking = f"{own_member()} lacks {facts.get('permission', 'a permission')}"
    return f"{lacking}. Run `{command}`: it grants each account what it needs (docs/security.md)."


# Vertex AI's words, as INVALID_ARGUMENT and without a reason (googleapis/python-aiplatform#1073, 2022-03-10).
_NOT_TO_ACT_AS = re.compile(r"do not have permission to act as service_account: (?P<account>[\w.-]+@[\w.-]+\w)")


def _act_as(error: Exception) -> str:
    found = _NOT_TO_ACT_AS.search(words(error))
    if found is None:
        return ""
    return (
        f"Grant it: gcloud iam service-accounts add-iam-policy-binding {found['account']} --member={own_member()} "
        "--role=roles/iam.serviceAccountUser"
    )


def enable_api(error: Exception) -> str:
    """The command that enables the API which refused because it is disabled; empty for any other error."""
    if not isinstance(error, GoogleAPICallError) or error.reason != "SERVICE_DISABLED":
        return ""
    facts: dict[str, str] = dict(error.metadata or {})
    project = facts.get("consumer", "").removeprefix("projects/")
    return f"Run `gcloud services enable {facts.get('service', '')} --project={project}`, wait a minute, try again."
