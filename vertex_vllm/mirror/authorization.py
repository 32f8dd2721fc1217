"""Authorization headers for requests to Cloud Storage that its own client cannot send."""

import os
import threading
from typing import Any

from google.auth.exceptions import GoogleAuthError

from vertex_vllm.errors import UnreachableError
from vertex_vllm.network.faults import network_fault
from vertex_vllm.retries import TransientError

_TOKENS = "https://oauth2.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class Authorization:
    """Headers with an access token that is renewed in time. Safe to use from several threads at once."""

    def __init__(self) -> None:
        """As google-cloud-storage chooses: STORAGE_EMULATOR_HOST names a server that is asked without credentials."""
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import Request

        self._lock = threading.Lock()
        self._transport = Request()
        if os.environ.get("STORAGE_EMULATOR_HOST"):
            self.credentials: Any = AnonymousCredentials()
        else:
            self.credentials, _ = google.auth.default(scopes=[_SCOPE])

    def headers(self, method: str, url: str) -> dict[str, str]:
        """Raises TransientError when the token could not be renewed now, GoogleAuthError or UnreachableError when it
        cannot be.
        """
        headers: dict[str, str] = {}
        with self._lock:
            try:
                self.credentials.before_request(self._transport, method, url, headers)
            except GoogleAuthError as error:
                fault = network_fault(error, _TOKENS)
                if fault.lasts:
                    raise UnreachableError(f"no access token: {fault.message}", fix=fault.fix) from None
                if getattr(error, "retryable", False):
                    raise TransientError(f"no access token: {type(error).__name__}") from None
                raise
        return headers
