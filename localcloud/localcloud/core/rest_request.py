"""An HTTP request as a value, for the services that answer paths rather than RPCs: the Hub and Cloud Storage."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams


@dataclass(frozen=True)
class RestRequest:
    method: str
    path: str
    """Percent-encoded, without the query."""
    query: QueryParams
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    """Scheme and host as the caller sees them, without a slash at the end."""
    names: Mapping[str, str]
    """Decoded parts of the path, by the route's names for them."""
