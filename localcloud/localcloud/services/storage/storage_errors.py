"""Refusals of Cloud Storage, in JSON for the JSON API and in XML for the XML API.

Statuses, reasons and messages: cloud.google.com/storage/docs/json_api/v1/status-codes; XML codes:
cloud.google.com/storage/docs/xml-api/reference-status.
"""

import json
from xml.etree import ElementTree


class StorageError(Exception):
    """A refusal. `reason` is in the JSON API's answer; `code`, `xml_message` and `details` are in the XML API's."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        code: str = "InvalidArgument",
        details: str = "",
        *,
        xml_message: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.code = code
        self.details = details
        self.xml_message = xml_message or message
        self.json_type = "application/json"

    def json(self) -> bytes:
        domain = "usageLimits" if self.status == 429 else "global"
        error = {"message": self.message, "domain": domain, "reason": self.reason}
        if self.status == 412:
            error |= {"locationType": "header", "location": "If-Match"}
        body = {"error": {"code": self.status, "message": self.message, "errors": [error]}}
        return json.dumps(body, separators=(",", ":")).encode()

    def xml(self) -> bytes:
        root = ElementTree.Element("Error")
        ElementTree.SubElement(root, "Code").text = self.code
        ElementTree.SubElement(root, "Message").text = self.xml_message
        ElementTree.SubElement(root, "Details").text = self.details or self.message
        return b"<?xml version='1.0' encoding='UTF-8'?>" + ElementTree.tostring(root)


def invalid(message: str, code: str = "InvalidArgument") -> StorageError:
    return StorageError(400, "invalid", message, code)


def required(parameter: str) -> StorageError:
    return StorageError(400, "required", f"Required parameter: {parameter}")


def no_object_name() -> StorageError:
    """Recorded: the upload service answers this JSON with the content type of text."""
    error = StorageError(400, "required", "No object name")
    error.json_type = "text/html; charset=UTF-8"
    return error


def not_implemented(what: str) -> StorageError:
    return StorageError(501, "notImplemented", f"The local Cloud Storage does not implement {what}.", "NotImplemented")


def bucket_not_found() -> StorageError:
    return StorageError(404, "notFound", "The specified bucket does not exist.", "NoSuchBucket")


def object_not_found(bucket: str, name: str) -> StorageError:
    details = f"No such object: {bucket}/{name}"
    return StorageError(404, "notFound", details, "NoSuchKey", details, xml_message="The specified key does not exist.")


def upload_not_found() -> StorageError:
    return StorageError(404, "notFound", "The requested upload was not found.", "NoSuchUpload")


def bucket_already_owned() -> StorageError:
    message = "Your previous request to create the named bucket succeeded and you already own it."
    return StorageError(409, "conflict", message, "BucketAlreadyOwnedByYou")


def bucket_name_unavailable() -> StorageError:
    message = (
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again."
    )
    return StorageError(409, "conflict", message, "BucketNameUnavailable")


def bucket_not_empty() -> StorageError:
    return StorageError(409, "conflict", "The bucket you tried to delete is not empty.", "BucketNotEmpty")


def precondition_failed() -> StorageError:
    message = "At least one of the pre-conditions you specified did not hold."
    return StorageError(412, "conditionNotMet", message, "PreconditionFailed")


def not_modified() -> StorageError:
    return StorageError(304, "notModified", "Not Modified", "NotModified")


def range_not_satisfiable() -> StorageError:
    message = "The requested range cannot be satisfied."
    return StorageError(416, "requestedRangeNotSatisfiable", message, "InvalidRange")


def upload_cancelled() -> StorageError:
    return StorageError(499, "clientClosedRequest", "Client Closed Request", "ClientClosedRequest")


_INTERNAL = "We encountered an internal error. Please try again."
# By status: the JSON API's reason, the XML API's code, a message.
_BY_STATUS = {
    401: ("authError", "AuthenticationRequired", "Invalid Credentials"),
    403: ("forbidden", "AccessDenied", "Access denied."),
    404: ("notFound", "NoSuchKey", "Not Found"),
    408: ("uploadBrokenConnection", "RequestTimeout", "The request timed out."),
    409: ("conflict", "Conflict", "The resource was changed by another request at the same time."),
    412: ("conditionNotMet", "PreconditionFailed", "At least one of the pre-conditions you specified did not hold."),
    429: ("rateLimitExceeded", "SlowDown", "The rate of requests exceeds the limit. Please reduce it."),
    500: ("internalError", "InternalError", _INTERNAL),
    503: ("backendError", "ServiceUnavailable", _INTERNAL),
}


def of_status(status: int, message: str = "") -> StorageError:
    """The most general refusal with that status."""
    reason, code, usual = _BY_STATUS.get(status, ("invalid", "InvalidArgument", "Invalid request."))
    return StorageError(status, reason, message or usual, code)
