"""The XML API's documents, in the namespace of S3, which its clients expect."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from starlette.responses import Response

from localcloud.services.storage.storage_errors import StorageError

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# XML 1.0 cannot represent these characters, not even escaped.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

PRIVATE = "private, max-age=0"
"""Cache-Control of errors, and of objects without a setting of their own: shared caches must not keep them."""

Fields = Sequence[tuple[str, "str | int | Fields"]]


def document(root: str, fields: Fields, headers: dict[str, str] | None = None) -> Response:
    element = ElementTree.Element(root, xmlns=_NAMESPACE)
    _add(element, fields)
    body = b"<?xml version='1.0' encoding='UTF-8'?>" + ElementTree.tostring(element)
    return Response(body, headers=headers, media_type="application/xml")


def error_document(error: StorageError) -> Response:
    body = b"" if error.status == 304 else error.xml()
    return Response(body, error.status, {"cache-control": PRIVATE}, "application/xml; charset=UTF-8")


def parse_parts(body: bytes) -> list[tuple[int, str]]:
    """(part number, ETag without quotes) of a CompleteMultipartUpload document. Raises StorageError (400)."""
    try:
        root = ElementTree.fromstring(body)
        parts = [(int(_text(part, "PartNumber")), _text(part, "ETag").strip('"')) for part in root.iterfind("{*}Part")]
    except (ElementTree.ParseError, ValueError):
        parts = []
    if not parts:
        message = "The XML you provided was not well-formed or did not validate against our published schema."
        raise StorageError(400, "invalid", message, "MalformedXML")
    return parts


def _text(part: ElementTree.Element, name: str) -> str:
    return (part.findtext(f"{{*}}{name}") or "").strip()


def _add(element: ElementTree.Element, fields: Fields) -> None:
    for name, value in fields:
        child = ElementTree.SubElement(element, name)
        if isinstance(value, str | int):
            child.text = _UNWRITABLE.sub("\ufffd", str(value))
        else:
            _add(child, value)
