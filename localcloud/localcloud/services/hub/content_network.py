"""Signed, expiring URLs of large files on another host, as the Hub's own content network has.

The signature alone is the permission. The network refuses and counts requests with a token, because a client that
sends its token there would give it away.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

from localcloud.services.hub.hub_errors import HubError

PREFIX = "/_cdn/"
STATUS = f"{PREFIX}status"
PUBLIC_HOST = "cdn-lfs.hf.co"
LIFETIME = timedelta(hours=1)


class ContentNetwork:
    """Signs and checks URLs with a key of its own; a restart makes earlier URLs invalid."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self.requests = 0
        self.requests_with_token = 0

    def url(self, base_url: str, repo_id: str, sha256: str, filename: str) -> str:
        path = f"{PREFIX}{repo_id}/{sha256}"
        expires = str(int((self._clock() + LIFETIME).timestamp()))
        query = {"Expires": expires, "filename": filename, "Signature": self._sign(path, expires, filename)}
        return f"{_other_host(base_url)}{quote(path)}?{urlencode(query)}"

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Raises HubError: 400 for a request with a token, 403 for a URL that expired or was not signed here."""
        with self._lock:
            self.requests += 1
            self.requests_with_token += "authorization" in headers
        if "authorization" in headers:
            message = "Only one auth mechanism allowed; send either the Signature or the Authorization header."
            raise HubError(400, "", message)
        expires = query.get("Expires", "")
        signature = self._sign(path, expires, query.get("filename", ""))
        if not hmac.compare_digest(signature.encode(), query.get("Signature", "").encode()):
            raise HubError(403, "", "Access Denied: the signature does not match.")
        if int(expires) < self._clock().timestamp():
            raise expired()

    def _sign(self, path: str, expires: str, filename: str) -> str:
        return hmac.new(self._key, "\n".join((path, expires, filename)).encode(), hashlib.sha256).hexdigest()


def expired() -> HubError:
    return HubError(403, "", "Access Denied: the URL has expired.")


def _other_host(base_url: str) -> str:
    """A host other than the Hub's, so that a careful client does not send its token; on loopback, its other name."""
    parts = urlsplit(base_url)
    port = f":{parts.port}" if parts.port else ""
    if parts.scheme == "https":
        return f"https://{PUBLIC_HOST}{port}"
    other = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    return f"{parts.scheme}://{other}{port}"
