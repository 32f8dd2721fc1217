"""The error that a fault has a service answer, in that service's own form."""

from collections.abc import Callable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import RetryInfo
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localcloud.core.api_errors import ApiError, code_of_status, http_status
from localcloud.faults.front_end_page import error_page
from localcloud.faults.kinds import Error, OperationError
from localcloud.services.hub import content_network
from localcloud.services.hub import hub_errors as hub_errors
from localcloud.services.iam import iam_app
from localcloud.services.storage import storage_errors as storage_errors
from localcloud.services.storage.storage_app import refusal as storage_refusal

_MESSAGES = {
    "UNAUTHENTICATED": "Request had invalid authentication credentials.",
    "PERMISSION_DENIED": "The caller does not have permission",
    "NOT_FOUND": "Requested entity was not found.",
    "ABORTED": "The operation was aborted.",
    "FAILED_PRECONDITION": "Precondition check failed.",
    "RESOURCE_EXHAUSTED": "Resource has been exhausted (e.g. check quota).",
    "INTERNAL": "Internal error encountered.",
    "UNAVAILABLE": "The service is currently unavailable.",
    "DEADLINE_EXCEEDED": "Deadline expired before operation could complete.",
}
# Seconds until the Hub's window of 300 s ends, where the fault does not say.
_HUB_RESET_SECONDS = 1


def answer(fault: Error, service: str, request: Request) -> Response:
    """The service's answer over HTTP."""
    response = _FORMS.get(service, _google)(fault, request)
    if fault.retry_after_seconds is not None and "RateLimit" not in response.headers:
        response.headers["Retry-After"] = str(fault.retry_after_seconds)
    response.headers.update(fault.answer_headers)
    return response


def api_error(fault: Error | OperationError) -> ApiError:
    """The error of a service that also speaks gRPC."""
    named, message = fault.words
    code = named or code_of_status(_status(fault))
    return ApiError(code, message or _MESSAGES.get(code, f"The request ended with {code}."))


def retry_info(fault: Error) -> RetryInfo | None:
    if fault.retry_after_seconds is None:
        return None
    return RetryInfo(retry_delay=Duration(seconds=fault.retry_after_seconds))


def _status(fault: Error | OperationError) -> int:
    code, _ = fault.words
    return http_status(code) if code else getattr(fault, "status", None) or 500


def _google(fault: Error, request: Request) -> Response:
    if fault.status in (408, 502):
        return error_page(fault.status)
    body, info = api_error(fault).body(), retry_info(fault)
    body["error"]["code"] = _status(fault)
    if info is not None:
        named = {"@type": f"type.googleapis.com/{info.DESCRIPTOR.full_name}", **MessageToDict(info)}
        body["error"]["details"] = [named]
    return JSONResponse(body, _status(fault))


def _storage(fault: Error, request: Request) -> Response:
    # "HTTP status and error codes for JSON": these two are "not formatted with a JSON document".
    if _status(fault) in (502, 504):
        return error_page(_status(fault))
    return storage_refusal(storage_errors.of_status(_status(fault), fault.message), request)


def _hub(fault: Error, request: Request) -> Response:
    response = hub_errors.of_status(_status(fault), fault.message).response()
    if _status(fault) == 429:
        seconds = _HUB_RESET_SECONDS if fault.retry_after_seconds is None else fault.retry_after_seconds
        response.headers.update(hub_errors.rate_limit_headers(request.url.path, seconds))
    return response


def _content_network(fault: Error, request: Request) -> Response:
    if _status(fault) == 403 and not fault.message:
        return content_network.expired().response()
    return hub_errors.of_status(_status(fault), fault.message).response()


def _iam(fault: Error, request: Request) -> Response:
    error = api_error(fault)
    if error.code == "NOT_FOUND" and not fault.words[1] and "/serviceAccounts/" in request.url.path:
        name = request.url.path.removeprefix("/v1/").partition(":")[0]
        error = ApiError("NOT_FOUND", f"Service account {name} does not exist.")
    return JSONResponse(iam_app.error_body(error), _status(fault))


_FORMS: dict[str, Callable[[Error, Request], Response]] = {
    "storage": _storage,
    "iam": _iam,
    "hub": _hub,
    "content-network": _content_network,
}
