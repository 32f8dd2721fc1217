"""Address of a load's requests: URL, proxy, trusted authorities, and an access token that is renewed in time."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.shared_clients import default_credentials
from vertex_vllm.inference.endpoint_connection import DEFAULT_ANSWER_SECONDS, EndpointConnection
from vertex_vllm.network.faults import check_proxy
from vertex_vllm.network.proxied_connection import trusted_authorities


@dataclass(frozen=True)
class Address:
    """A server that answers chat completions, or predictions of Vertex AI for a model without a chat template."""

    url: str
    chat: bool = True
    """False: `:predict`, which answers whole and counts no tokens."""
    google: bool = False
    """Send an access token of the environment's Google credentials."""
    answer_seconds: float = DEFAULT_ANSWER_SECONDS
    """Seconds. Longest silence of the server."""
    model: str = ""
    """Name of the model in each request; an endpoint of Vertex AI needs none."""

    @property
    def proxy(self) -> str | None:
        """The environment's proxy for this host. Raises InputError for an unusable proxy."""
        through = check_proxy(self.url)
        return through.geturl() if through else None

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """The environment's authorities. Raises InputError for an unusable file."""
        return trusted_authorities() if urlsplit(self.url).scheme == "https" else True

    def authorization(self) -> "Authorization":
        """Raises ServiceError where the environment has no credentials."""
        return GoogleAuthorization(_credentials(self.url)) if self.google else NoAuthorization()


def endpoint_address(endpoint_name: str, chat: bool, answer_seconds: float | None = None) -> Address:
    """The address of an endpoint of Vertex AI, its own DNS name if it has one.

    `endpoint_name`: projects/P/locations/R/endpoints/E. `answer_seconds`: longest silence of the server, where the
    endpoint allows a longer one. Raises InputError for anything else, InferenceError where
    Vertex AI does not describe the endpoint, ServiceError without credentials.
    """
    connection = EndpointConnection(endpoint_name, answer_seconds)
    url = connection.url("v1beta1", "/chat/completions") if chat else connection.url("v1", ":predict")
    return Address(url, chat, google=True, answer_seconds=connection.answer_seconds)


def server_address(base_url: str, model: str = "") -> Address:
    """The address of a server with OpenAI's API, for example `http://127.0.0.1:8000/v1`, without credentials."""
    return Address(f"{base_url.rstrip('/')}/chat/completions", model=model)


class Authorization(Protocol):
    """The value of a request's `Authorization` header, or an empty text."""

    async def header(self) -> str: ...


class NoAuthorization:
    """For a server that asks for no credentials: vLLM itself, in tests and benchmarks."""

    async def header(self) -> str:
        return ""


class GoogleAuthorization:
    """An access token of Google's, renewed before it expires; requests use the old one meanwhile."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._renewal: asyncio.Task[None] | None = None

    async def header(self) -> str:
        """Raises ServiceError where the token cannot be renewed and the old one has expired."""
        from google.auth.credentials import TokenState

        state = self._credentials.token_state
        if state is not TokenState.FRESH:
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(asyncio.to_thread(self._renew))
            if state is TokenState.INVALID:
                await asyncio.shield(self._renewal)
        return f"Bearer {self._credentials.token}"

    def _renew(self) -> None:
        from google.auth.transport.requests import Request

        with google_errors("Google's authorization server", "access token"):
            self._credentials.refresh(Request())


def _credentials(url: str) -> Any:
    with google_errors("Vertex AI", urlsplit(url).hostname or ""):
        return default_credentials()
