"""Requests to the Hub's API."""

import json
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from vertex_vllm import __version__
from vertex_vllm.errors import HubAccessError, InputError, UnreachableError
from vertex_vllm.hub.refusals import hub_words, refusal
from vertex_vllm.hub.token import checked_token
from vertex_vllm.network.faults import check_address, check_authorities, check_proxy, network_fault
from vertex_vllm.retries import TransientError, saying_what_lasts, with_retries

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

Answer = TypeVar("Answer")

# Seconds without a byte after which a request is given up, and seconds of retries after which the Hub is.
_REQUEST_TIMEOUT = 60
_CONNECT_TIMEOUT = 5
_PATIENCE = 400
_USUAL_ENDPOINT = "https://huggingface.co"
_OTHER_PAGE = "Check HF_ENDPOINT and the proxy: a page to log in at may be in between."
_ANSWERED: set[str] = set()
"""Endpoints that have answered this process: any failure of one of them counts as transient."""


def hub_endpoint() -> str:
    """URL of the Hub: HF_ENDPOINT as it is now, not as it was when huggingface_hub was imported. Raises InputError."""
    return check_address(os.environ.get("HF_ENDPOINT") or _USUAL_ENDPOINT, "HF_ENDPOINT", _USUAL_ENDPOINT)


def ask_hub(question: Callable[["HfApi"], Answer], *, token: str | None, model_id: str, revision: str = "") -> Answer:
    """Answer of the Hub to `question`, asked again after transient errors; each wait is logged.

    Raises a HubAccessError that says what to do, InputError for an unusable address, UnreachableError when the Hub
    cannot be asked from here or does not answer, ServiceError when it fails. None of them holds the token.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    endpoint = hub_endpoint()
    check_proxy(endpoint)
    _check_trusted_file()
    # token=False: without it huggingface_hub sends whatever token it finds on the machine.
    api = HfApi(endpoint=endpoint, token=checked_token(token) or False, library_name=f"vertex-vllm/{__version__}")
    hub = f"the Hugging Face Hub at {_without_login(endpoint)}"

    def attempt() -> Answer:
        _limit_waiting()
        try:
            with saying_what_lasts(f"waiting for {hub}"):
                answer = question(api)
        except OfflineModeIsEnabled:
            raise HubAccessError("HF_HUB_OFFLINE is set", repo=model_id, fix="Unset it.") from None
        except httpx2.TooManyRedirects:
            raise UnreachableError(f"{hub} redirects in circles", where=model_id, fix=_OTHER_PAGE) from None
        except json.JSONDecodeError:
            raise UnreachableError(f"{hub} does not answer as the Hub does", where=model_id, fix=_OTHER_PAGE) from None
        except httpx2.RequestError as error:
            raise _unanswered(error, endpoint) from None
        except HfHubHTTPError:
            _ANSWERED.add(endpoint)
            raise
        _ANSWERED.add(endpoint)
        return answer

    try:
        return with_retries(attempt, seconds=_PATIENCE, waiting_for=hub)
    except HfHubHTTPError as error:
        said = hub_words(error.response.status_code, error.response.headers, _body(error.response))
        raise refusal(said, token=token, model_id=model_id, revision=revision) from None
    except TransientError as error:
        raise UnreachableError(f"{hub} does not answer: {error}", where=model_id, fix=error.fix) from None


def make_sure_it_answers(model_id: str, token: str | None) -> None:
    """Asks for the model once, unless the Hub has answered already: requests for lists of files wait on their own.

    Raises as `ask_hub`.
    """
    if hub_endpoint() not in _ANSWERED:
        ask_hub(lambda api: api.model_info(model_id), token=token, model_id=model_id)


def _unanswered(error: Exception, endpoint: str) -> Exception:
    fault = network_fault(error, endpoint)
    if endpoint in _ANSWERED:
        return TransientError(fault.message, fix=fault.fix)
    if not fault.lasts:
        return TransientError(fault.message, fix=fault.fix, patience_seconds=fault.patience_seconds)
    fix = f"{fault.fix} The address is HF_ENDPOINT's." if os.environ.get("HF_ENDPOINT") else fault.fix
    return UnreachableError(
        f"the Hugging Face Hub cannot be asked: {fault.message}", where=_without_login(endpoint), fix=fix
    )


def _without_login(endpoint: str) -> str:
    return re.sub(r"//[^/@]*@", "//", endpoint)


def _check_trusted_file() -> None:
    """Raises InputError if SSL_CERT_FILE names a missing file, which huggingface_hub reports with a traceback."""
    check_authorities()
    path = os.environ.get("SSL_CERT_FILE")
    if path and not os.path.isfile(path):
        raise InputError(f"{path} is not a file", where="SSL_CERT_FILE", fix="Name a PEM file, or unset it.")


def _body(response: "httpx2.Response") -> bytes:
    """The text of a refusal; empty where it was not read."""
    try:
        return bytes(response.content)
    except RuntimeError:  # A streamed answer that is closed.
        return b""


def _limit_waiting() -> None:
    """Sets timeouts: huggingface_hub's shared client waits for ever by default."""
    import httpx2
    from huggingface_hub.utils import get_session

    session = get_session()
    if session.timeout == httpx2.Timeout(None):
        session.timeout = httpx2.Timeout(_REQUEST_TIMEOUT, connect=_CONNECT_TIMEOUT)
