"""google-cloud-storage's client with logged waits, which fails at once where another try cannot help.

By itself the client retries for two minutes, silently, after any failure of the connection.
"""

import logging
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from vertex_vllm.error_data import RETRYABLE_STATUS
from vertex_vllm.errors import UnreachableError
from vertex_vllm.google.shared_clients import default_credentials
from vertex_vllm.network.faults import check_authorities, check_proxy, network_fault

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.storage import Client

_LOG = logging.getLogger(__name__)


def storage_client(project: str, credentials: "Credentials | None" = None) -> "Client":
    """A client of Cloud Storage. `project`: empty where no call needs one. `credentials` None: the default ones.

    Its calls raise UnreachableError for a failure of the network that lasts, and InputError for an unusable proxy or
    file of authorities; requests that Google's client tries again are logged.
    """
    from google.cloud.storage import Client

    # The client asks the server that this variable names without credentials.
    if credentials is None and not os.environ.get("STORAGE_EMULATOR_HOST"):
        credentials = default_credentials()
    client = Client(project=project or "none", credentials=credentials)
    session = client._http
    for each in (session, getattr(getattr(session, "_auth_request", None), "session", None)):
        if isinstance(each, requests.Session) and not getattr(each, "is_mtls", False):
            each.mount("https://", _Adapter())
            each.mount("http://", _Adapter())
    return client


class _Adapter(HTTPAdapter):
    """Sends one request and classifies its failures. Every failure of a host that has answered once counts as
    transient."""

    def __init__(self) -> None:
        super().__init__()
        self._answered: set[str] = set()
        self._failing_since: dict[str, float] = {}

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        url = str(request.url)
        try:
            response = super().send(request, *args, **options)
        except requests.ConnectionError as error:
            raise self._failure(error, url) from None
        except OSError:
            # requests cannot read the file of authorities, or the proxy's address is none.
            check_authorities()
            check_proxy(url)
            raise
        host = urlsplit(url).netloc
        self._answered.add(host)
        if response.status_code in RETRYABLE_STATUS:
            _LOG.warning("status %d from %s; Google's client tries again", response.status_code, host)
        return response

    def _failure(self, error: requests.ConnectionError, url: str) -> Exception:
        fault = network_fault(error, url)
        host, now = urlsplit(url).netloc, time.monotonic()
        begun = self._failing_since.setdefault(host, now)
        if host not in self._answered and now - begun >= fault.patience_seconds:
            return UnreachableError(fault.message, fix=fault.fix)
        _LOG.warning("%s; Google's client tries again, for two minutes in all", fault.message)
        return error
