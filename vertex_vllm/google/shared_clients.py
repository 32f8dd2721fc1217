"""Application Default Credentials and gRPC clients, one of each for a process.

A client that is given no credentials looks for them itself and fetches a token of its own: on Google's machines half a
dozen requests to the metadata server. Each client also opens a connection of its own.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

Client = TypeVar("Client")

# An account's roles say what it may do, not the scope.
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

# The variables by which google.auth chooses credentials (google-auth 2.62.2, environment_vars.py).
_CHOICE = (
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "APPDATA", "HOME", "GOOGLE_CLOUD_QUOTA_PROJECT"),
    *("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP", "NO_GCE_CHECK"),
)


def default_credentials() -> "Credentials":
    """The credentials that the environment names now. Safe to use from several threads at once.

    Raises google.auth.exceptions.DefaultCredentialsError where it names none.
    """
    return _credentials(tuple(os.environ.get(name) for name in _CHOICE))


def google_client(kind: type[Client], host: str = "") -> Client:
    """The client of class `kind` for `host` (empty: the service's global one). Safe to use from several threads.

    Raises as `default_credentials`.
    """
    client: Client = _client(cast(Any, kind), host, default_credentials())
    return client


def forget() -> None:
    """The next call looks for credentials again: the same environment names another account now, or other servers."""
    _credentials.cache_clear()
    _client.cache_clear()


@cache
def _credentials(chosen_by: tuple[str | None, ...]) -> "Credentials":
    import google.auth

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    found: Credentials = credentials
    return found


@cache
def _client(kind: Any, host: str, credentials: "Credentials") -> Any:
    return kind(credentials=credentials, client_options={"api_endpoint": host} if host else None)
