"""Clients of Vertex AI's regional services, and the errors after which a call is repeated."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions, retry
from google.auth import exceptions as auth_exceptions
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import DeploymentError, ServiceError, VertexVllmError
from vertex_vllm.google.error_boundary import raise_if_closed, remedy
from vertex_vllm.google.regional_hosts import vertex_ai_host

TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,  # DEADLINE_EXCEEDED too
    exceptions.TooManyRequests,  # RESOURCE_EXHAUSTED too
    exceptions.BadGateway,
    exceptions.InternalServerError,
    exceptions.Unknown,
    exceptions.RetryError,
    auth_exceptions.TransportError,
)
"""Errors after which the same call may succeed: safe to repeat for a read, not by itself for a create."""

CALL_SECONDS = 60.0
"""Seconds for one call, retries included. Google's clients default to 5 s or to no limit, by method."""

RETRY = retry.Retry(
    predicate=retry.if_exception_type(*TRANSIENT), initial=0.5, maximum=8.0, multiplier=2.0, timeout=CALL_SECONDS
)
"""Retry of calls that change nothing, or that have the same effect when repeated."""


def endpoint_client(region: str) -> vertex.EndpointServiceClient:
    return vertex.EndpointServiceClient(client_options={"api_endpoint": vertex_ai_host(region)})


def model_client(region: str) -> vertex.ModelServiceClient:
    return vertex.ModelServiceClient(client_options={"api_endpoint": vertex_ai_host(region)})


@contextmanager
def service_errors(doing: str, error: type[VertexVllmError] = DeploymentError) -> Iterator[None]:
    """Turns what Google's clients raise into `error`, with what was being done and the service's own words."""
    try:
        yield
    except exceptions.GoogleAPICallError as refused:
        raise_if_closed(refused, doing)
        said = f"{doing}: Vertex AI answered {status_name(refused)}: {refused.message}"
        raise error(said, fix=remedy(refused)) from refused
    except exceptions.RetryError as refused:
        raise error(f"{doing}: Vertex AI gave no answer for {CALL_SECONDS:.0f} s: {refused.cause}") from refused
    except auth_exceptions.GoogleAuthError as refused:
        raise ServiceError(
            f"{doing}: no usable Google credentials: {refused}",
            fix="Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
        ) from refused


def status_name(refused: exceptions.GoogleAPICallError) -> str:
    """`PERMISSION_DENIED` rather than 403, where the call went over gRPC."""
    return refused.grpc_status_code.name if refused.grpc_status_code else str(refused.code)
