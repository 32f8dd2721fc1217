"""The one error of the local cloud, sent to REST and gRPC clients in the form of the real services."""

import json
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

# google.rpc.Code name → HTTP status, from googleapis `google/rpc/code.proto`.
_HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}
CODES = frozenset(_HTTP_STATUS)

# Several codes have status 400; this one says least about the request. No service answers 412.
_USUAL_CODE = {400: "INVALID_ARGUMENT", 409: "ABORTED", 412: "FAILED_PRECONDITION", 500: "INTERNAL"}


class ApiError(Exception):
    """A refusal, as `google.rpc.Status` has it."""

    def __init__(self, code: str, message: str, details: Sequence[Message] = ()) -> None:
        """`details`: messages of `google/rpc/error_details.proto`."""
        if code not in _HTTP_STATUS:
            raise ValueError(f"{code} is not a name of google.rpc.Code")
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)

    @property
    def http_status(self) -> int:
        return http_status(self.code)

    @property
    def grpc_code(self) -> grpc.StatusCode:
        return grpc.StatusCode[self.code]

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.http_status, "message": self.message, "status": self.code}
        if self.details:
            error["details"] = [
                {"@type": f"type.googleapis.com/{detail.DESCRIPTOR.full_name}", **MessageToDict(detail)}
                for detail in self.details
            ]
        return {"error": error}

    def status(self) -> Status:
        """The value of `grpc-status-details-bin`, gRPC's details of a refusal."""
        status = Status(code=code_pb2.Code.Value(self.code), message=self.message)
        for detail in self.details:
            status.details.add().Pack(detail)
        return status

    def json(self) -> bytes:
        return json.dumps(self.body()).encode()


def http_status(code: str) -> int:
    return _HTTP_STATUS[code]


def code_of_status(status: int) -> str:
    """The name of google.rpc.Code for an HTTP status; UNKNOWN where there is none."""
    exact = {known: code for code, known in _HTTP_STATUS.items()} | _USUAL_CODE
    return exact.get(status, "UNKNOWN")
