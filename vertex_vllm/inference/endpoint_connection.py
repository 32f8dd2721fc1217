"""HTTP to one endpoint: its host, credentials, retries, and refusals as errors."""

import re
from functools import cached_property
from http.client import RemoteDisconnected
from typing import Any

import requests
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError, ProxyError

from vertex_vllm.error_data import RETRYABLE_STATUS
from vertex_vllm.errors import InferenceError
from vertex_vllm.foreign_json import parsed
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.regional_hosts import dedicated_host
from vertex_vllm.google.shared_clients import default_credentials
from vertex_vllm.plain_text import whole_characters
from vertex_vllm.retries import TransientError, retry_after, with_retries
from vertex_vllm.vertex_ai.resource_names import ResourceName

CONNECT_SECONDS = 10.0
DEFAULT_ANSWER_SECONDS = 600.0
"""Longest wait for the next byte where the endpoint names none: the default of a dedicated endpoint, 10 minutes."""
RETRY_SECONDS = 60.0
"""Seconds after which a failed request is not tried again."""
_STUMBLES = 3
"""Repetitions of a request that the server may have worked on: each further answer costs its tokens again."""
_CONNECTIONS = 64
_SHOWN_CHARACTERS = 500

_FIXES = {
    401: "Run `gcloud auth application-default login`, or give the job a service account.",
    403: "The caller needs roles/aiplatform.user on the project.",
    404: "Check that the endpoint exists, in that project and region.",
}


class _StumbleError(TransientError):
    """No answer, or an error, to a request that may have reached the model."""


class EndpointConnection:
    """Sends requests to one Vertex AI endpoint, by its own DNS name if it has one. Threads may share it."""

    def __init__(self, endpoint_name: str, answer_seconds: float | None = None) -> None:
        """`endpoint_name`: projects/P/locations/R/endpoints/E. Raises InputError for anything else.

        `answer_seconds`: longest wait for the next byte, where the endpoint allows a longer one.
        """
        self._longest_wait = answer_seconds
        self.name = ResourceName.parse(endpoint_name, "endpoints")
        self._regional_host = self.name.host

    def post(self, version: str, path: str, body: bytes, *, stream: bool = False) -> requests.Response:
        """The answer to a POST to `/VERSION/ENDPOINT` + path.

        A request that reached no server, or was refused with 429 or 503, is sent again for up to RETRY_SECONDS. If the
        server may have worked on it, and its answer was lost or is an error of the server's, it is sent again a few
        times. Raises InferenceError with the status and the server's words.
        """
        return self._send("POST", self.url(version, path), self.answer_seconds, data=body, stream=stream)

    def url(self, version: str, path: str) -> str:
        """`/VERSION/ENDPOINT` + path, at the endpoint's own DNS name if it has one. Raises as `post` does."""
        return f"https://{self._host}/{version}/{self.name}{path}"

    @cached_property
    def _session(self) -> AuthorizedSession:
        with google_errors("Vertex AI", str(self.name)):
            session = AuthorizedSession(default_credentials())
        session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        return session

    @cached_property
    def _endpoint(self) -> dict[str, Any]:
        """The Endpoint resource, asked for once. Over REST: the GAPIC client would cost seconds of imports."""
        url = f"https://{self._regional_host}/v1beta1/{self.name}"
        described: dict[str, Any] = self._send("GET", url, RETRY_SECONDS).json()
        return described

    @property
    def _host(self) -> str:
        dedicated = self._endpoint.get("dedicatedEndpointEnabled") and self._endpoint.get("dedicatedEndpointDns")
        return dedicated_host(str(dedicated)) if dedicated else self._regional_host

    @property
    def answer_seconds(self) -> float:
        """Longest wait for the next byte of an answer."""
        limit = self._endpoint.get("clientConnectionConfig", {}).get("inferenceTimeout", "")
        allowed = float(limit.removesuffix("s")) if limit else DEFAULT_ANSWER_SECONDS
        return allowed if self._longest_wait is None else min(allowed, self._longest_wait)

    def _send(self, method: str, url: str, answer_seconds: float, **options: Any) -> requests.Response:
        session = self._session
        timeout = (CONNECT_SECONDS, answer_seconds)
        headers = {"Content-Type": "application/json"}
        stumbles = 0

        def once() -> requests.Response:
            try:
                response: requests.Response = session.request(method, url, timeout=timeout, headers=headers, **options)
            except requests.RequestException as error:
                raise self._no_answer(error) from error
            if not response.ok:
                raise self._refusal(response)
            return response

        def a_few_times() -> requests.Response:
            nonlocal stumbles
            try:
                return once()
            except _StumbleError as error:
                stumbles += 1
                if stumbles > _STUMBLES:
                    raise InferenceError(str(error), where=str(self.name)) from error
                raise

        try:
            with google_errors("Vertex AI", str(self.name)):
                return with_retries(a_few_times, seconds=RETRY_SECONDS)
        except TransientError as error:
            raise InferenceError(str(error), where=str(self.name)) from error

    def _no_answer(self, error: requests.RequestException) -> Exception:
        if isinstance(error, requests.ConnectTimeout) or _met_nobody(error):
            return TransientError(f"No connection: {error}")
        if isinstance(error, requests.Timeout):
            return InferenceError(
                f"No answer within {self.answer_seconds:.0f} s", where=str(self.name), fix="Ask for fewer max_tokens."
            )
        return _StumbleError(f"The connection broke: {error}")

    def _refusal(self, response: requests.Response) -> Exception:
        said = f"HTTP {response.status_code}: {server_words(response.text)}"
        if response.status_code == 503 and re.search(r"too long", said, re.IGNORECASE):
            return InferenceError(
                said, where=str(self.name), fix="Ask for fewer max_tokens.", status=response.status_code
            )
        if response.status_code in (429, 503):
            return TransientError(said, retry_after(response.headers))
        if response.status_code in RETRYABLE_STATUS:
            return _StumbleError(said, retry_after(response.headers))
        fix = _FIXES.get(response.status_code, "")
        return InferenceError(said, where=str(self.name), fix=fix, status=response.status_code)


def _met_nobody(error: requests.RequestException) -> bool:
    """Whether nothing was sent, judged by the innermost of the errors that requests wraps."""
    if not isinstance(error, requests.ConnectionError):
        return False
    reason = getattr(error.args[0], "reason", None)
    if isinstance(reason, ProxyError):
        # urllib3 blames the proxy also for a connection through it that breaks while it waits for the answer.
        return not isinstance(reason.original_error, RemoteDisconnected | ConnectionResetError)
    return isinstance(reason, NewConnectionError)


def server_words(body: str) -> str:
    """The message inside an error's JSON, in Google's shape or OpenAI's, or the text as it is; shortened."""
    try:
        told = parsed(body)
        error = (told[0] if isinstance(told, list) else told)["error"]
        words = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, IndexError, TypeError):
        words = body
    return " ".join(whole_characters(str(words)).split())[:_SHOWN_CHARACTERS] or "no message"
