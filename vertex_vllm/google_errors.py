"""What a Google client raised in the end, said so that a person knows what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from vertex_vllm.errors import RegionClosedError, ServiceError
from vertex_vllm.iam import own_member


@contextmanager
def google_errors(service: str, where: str) -> Iterator[None]:
    """Errors of a Google client inside become ServiceError, with `service` named and `where` for the resource."""
    try:
        yield
    except DefaultCredentialsError as error:
        raise ServiceError(
            f"no Google credentials to call {service} with",
            where=where,
            fix="Run `gcloud auth application-default login`, or give the job a service account.",
        ) from error
    except (GoogleAPIError, GoogleAuthError) as error:
        raise_if_closed(error, where)
        raise ServiceError(f"{service}: {words(error)}", where=where, fix=remedy(error)) from error


_PLACE = re.compile(r"projects/(?P<project>[^/]+)(/locations/(?P<region>[^/]+))?")
_CLOSED = "LOCATION_POLICY_VIOLATED"


def raise_if_closed(error: Exception, where: str) -> None:
    """Raises RegionClosedError where a service refused because the project may not use the region.

    me-central2 and its like answer so to ordinary projects (firezone#7711): nothing of the project can be there.
    """
    if isinstance(error, GoogleAPICallError) and _CLOSED in f"{error.reason} {error}":
        raise RegionClosedError(words(error), where=where, fix="Leave that region out.") from error


def words(error: Exception) -> str:
    """The service's own words."""
    return str(getattr(error, "message", "") or error)


def remedy(error: Exception) -> str:
    """The command that removes the cause: a disabled API, a permission that nobody granted; empty for any other."""
    return enable_api(error) or _grant(error)


def _grant(error: Exception) -> str:
    if not isinstance(error, GoogleAPICallError) or error.reason != "IAM_PERMISSION_DENIED":
        return ""
    facts: dict[str, str] = dict(error.metadata or {})
    found = _PLACE.search(facts.get("resource", ""))
    project, region = (found["project"], found["region"] or "REGION") if found else ("PROJECT", "REGION")
    command = f"vertex-vllm bootstrap --project {project} --region {region}"
    lacking = f"{own_member()} lacks {facts.get('permission', 'a permission')}"
    return f"{lacking}. Run `{command}`: it grants each account what it needs (docs/security.md)."


def enable_api(error: Exception) -> str:
    """The command that enables the API which refused because it is disabled; empty for any other error."""
    if not isinstance(error, GoogleAPICallError) or error.reason != "SERVICE_DISABLED":
        return ""
    facts: dict[str, str] = dict(error.metadata or {})
    project = facts.get("consumer", "").removeprefix("projects/")
    return f"Run `gcloud services enable {facts.get('service', '')} --project={project}`, wait a minute, try again."
