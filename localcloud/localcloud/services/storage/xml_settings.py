"""Settings of an object from the headers of an XML API upload."""

from collections.abc import Mapping
from typing import Any

_SETTINGS = {
    "content-type": "contentType",
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "x-goog-storage-class": "storageClass",
    "x-goog-custom-time": "customTime",
}
_CUSTOM = "x-goog-meta-"


def settings_in_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        field: _text(headers[header]) for header, field in _SETTINGS.items() if headers.get(header)
    }
    metadata = {name[len(_CUSTOM) :]: _text(value) for name, value in headers.items() if name.startswith(_CUSTOM)}
    return {**settings, **({"metadata": metadata} if metadata else {})}


def _text(header: str) -> str:
    """A header's text: the server decodes Latin-1, but senders write UTF-8."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
