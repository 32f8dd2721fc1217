"""Headers that the Hub puts on all of its answers."""

import base64
import hashlib

from starlette.responses import Response

from localcloud.services.hub.hub_errors import rate_limit_policy

# Of answers in JSON recorded from 2024 on; of files, whose form depends on `Accept`, recorded in 2026.
_VARY, _VARY_FILES = "Origin", "Origin, Accept"


def complete(response: Response, path: str, *, known_user: bool) -> Response:
    """Adds missing headers. The rate limit's window is always unused: the local Hub limits no caller."""
    headers = response.headers
    headers.setdefault("Vary", _VARY_FILES if "/resolve/" in path else _VARY)
    window, requests = rate_limit_policy(path, known_user=known_user)
    headers.setdefault("RateLimit", f'"{window}";r={requests};t=300')
    headers.setdefault("RateLimit-Policy", f'"fixed window";"{window}";q={requests};w=300')
    if response.status_code == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="Authentication required", charset="UTF-8"')
    if response.status_code == 200 and headers.get("content-type", "").startswith("application/json"):
        headers["Content-Type"] = "application/json; charset=utf-8"
        if "ETag" not in headers and hasattr(response, "body"):
            headers["ETag"] = _weak_etag(bytes(response.body))
    return response


def _weak_etag(body: bytes) -> str:
    """The ETag of the Hub's server (Express): the length in hexadecimal, and a SHA-1 in base64 without padding."""
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode().rstrip("=")
    return f'W/"{len(body):x}-{digest}"'
