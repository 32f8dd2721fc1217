"""From a method of the contract to its handler, and back: the same for REST and gRPC, for v1 and v1beta1."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from google.longrunning.operations_pb2 import ListOperationsResponse, Operation
from google.protobuf import descriptor_pool
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.registration import HandlerTable
from localcloud.front import permission_check
from localcloud.front.contract import Method

if TYPE_CHECKING:
    from localcloud.core.cloud import Cloud

_LOG = logging.getLogger(__name__)

# Vertex AI's handlers speak v1beta1; its v1 messages are the same on the wire, with fewer fields (a test compares).
_VERTEX_PACKAGE = re.compile(r"\bgoogle\.cloud\.aiplatform\.(v1|v1beta1)\.")
_HANDLED_VERSION = "google.cloud.aiplatform.v1beta1."
# The handlers of Cloud Quotas speak v1; the same methods of v1beta have the same messages on the wire (the same test).
_QUOTAS_BETA, _QUOTAS = "/google.api.cloudquotas.v1beta.CloudQuotas/", "/google.api.cloudquotas.v1.CloudQuotas/"


class Dispatcher:
    """Finds the handler of a method, converts the messages between API versions, and makes every error an ApiError."""

    def __init__(self, contract: Mapping[str, Method], handlers: HandlerTable, cloud: "Cloud") -> None:
        """Raises ValueError for a handler of a method that no contract knows."""
        unknown = sorted(set(handlers) - set(contract))
        if unknown:
            raise ValueError(f"handlers of methods that do not exist: {', '.join(unknown)}")
        self._contract = contract
        self._handlers = handlers
        self._cloud = cloud

    def method(self, path: str) -> Method:
        """The method of the contract that gRPC writes as `/package.Service/Method`."""
        return self._contract[path]

    def call(self, method: Method, request: Any, version: str = "") -> Any:
        """The response message, or an iterator of them for a method that streams its response.

        `version`: that of the URL, for methods that are mixed into every version of an API. `request` is an iterator of
        messages for a method that streams its request. Raises nothing but ApiError.
        """
        served = _VERTEX_PACKAGE.sub(_HANDLED_VERSION, method.path).replace(_QUOTAS_BETA, _QUOTAS)
        handler = self._handlers.get(served)
        if handler is None:
            raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {method.service}.{method.name}.")
        caller = _VERTEX_PACKAGE.search(method.path)
        version = caller.group(1) if caller else version
        request_type = self._contract[served].request_type
        try:
            converted = _converted_request(request, request_type)
            permission_check.ask(self._cloud, method, converted)
            result = handler(converted, self._cloud)
            if method.streams_response:
                return self._stream(result, method, version)
            return self._converted_response(result, method, version)
        except Exception as error:
            raise _as_api_error(error, method) from error

    def _stream(self, results: Iterable[Message], method: Method, version: str) -> Iterator[Message]:
        try:
            for result in results:
                yield self._converted_response(result, method, version)
        except Exception as error:
            raise _as_api_error(error, method) from error

    def _converted_response(self, result: Message, method: Method, version: str) -> Message:
        if isinstance(result, Operation):
            return self._versioned(result, method, version)
        if isinstance(result, ListOperationsResponse):
            return ListOperationsResponse(
                operations=[self._versioned(operation, method, version) for operation in result.operations],
                next_page_token=result.next_page_token,
            )
        return _converted(result, method.response_type)

    def _versioned(self, operation: Operation, method: Method, version: str) -> Operation:
        """A copy whose Any fields name types of the version that the caller speaks."""
        if version and _VERTEX_PACKAGE.search(method.path):
            self._cloud.operations.remember_api_version(operation.name, version)
        version = version or self._cloud.operations.api_version(operation.name)
        copy = Operation()
        copy.CopyFrom(operation)
        if version == "v1":
            for packed in (copy.metadata, copy.response):
                _rename_type(packed)
        return copy


def _rename_type(packed: AnyMessage) -> None:
    renamed = _VERTEX_PACKAGE.sub("google.cloud.aiplatform.v1.", packed.type_url)
    try:
        descriptor_pool.Default().FindMessageTypeByName(renamed.rpartition("/")[2])
    except KeyError:
        return
    packed.type_url = renamed


def _converted_request(request: Any, message_type: type[Message]) -> Any:
    if isinstance(request, Message):
        return _converted(request, message_type)
    return (_converted(message, message_type) for message in request)


def _converted(message: Message, message_type: type[Message]) -> Message:
    if isinstance(message, message_type):
        return message
    return message_type.FromString(message.SerializeToString())


def _as_api_error(error: Exception, method: Method) -> ApiError:
    if isinstance(error, ApiError):
        return error
    _LOG.exception("%s failed", method.path, exc_info=error)
    return ApiError("INTERNAL", f"The local cloud failed in {method.service}.{method.name}: {error!r}.")
