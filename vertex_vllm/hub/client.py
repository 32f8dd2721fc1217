"""How the Hub's API is asked, and what its refusals mean."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from vertex_vllm import __version__
from vertex_vllm.errors import (
    HubAccessError,
    LicenseNotAcceptedError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    ServiceError,
    TokenInvalidError,
    TokenMissingError,
)
from vertex_vllm.hub.token import checked_token
from vertex_vllm.retries import TransientError, with_retries

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Answer = TypeVar("Answer")

# Seconds without a byte before a request is given up, and seconds of trying before the Hub is.
_REQUEST_TIMEOUT = 60
_PATIENCE = 400


def hub_endpoint() -> str:
    """URL of the Hub: HF_ENDPOINT as it is now, not as it was when huggingface_hub was imported."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def ask_hub(question: Callable[["HfApi"], Answer], *, token: str | None, model_id: str, revision: str = "") -> Answer:
    """Answer of the Hub to `question`, asked again after transient errors.

    Raises a HubAccessError that says what to do, or ServiceError when the Hub does not answer. Neither holds the token.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # token=False: without it huggingface_hub sends whatever token it finds on the machine.
    api = HfApi(endpoint=hub_endpoint(), token=checked_token(token) or False, library_name=f"vertex-vllm/{__version__}")

    def attempt() -> Answer:
        _limit_waiting()
        try:
            return question(api)
        except OfflineModeIsEnabled:
            raise HubAccessError("HF_HUB_OFFLINE is set", where=model_id, fix="Unset it.") from None
        except httpx2.RequestError as error:
            raise TransientError(type(error).__name__) from None

    try:
        return with_retries(attempt, seconds=_PATIENCE)
    except HfHubHTTPError as error:
        raise refusal(
            error.response.status_code, error.response.headers, token=token, model_id=model_id, revision=revision
        ) from None
    except TransientError as error:
        raise ServiceError(
            f"the Hugging Face Hub at {hub_endpoint()} does not answer: {error}", where=model_id
        ) from None


def refusal(
    status: int, headers: Mapping[str, str], *, token: str | None, model_id: str, revision: str = "", path: str = ""
) -> HubAccessError | ServiceError:
    """What an answer of the Hub with an error status means for whoever asked for this model."""
    code = headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        return _gated(headers.get("X-Error-Message", ""), token, model_id)
    if code == "RevisionNotFound":
        return RevisionNotFoundError(
            f"{model_id} has no revision {revision!r}",
            where="revision",
            fix=f"Choose a branch, tag or commit of https://huggingface.co/{model_id}/commits/main.",
        )
    if code == "RepoNotFound":
        return RepositoryNotFoundError(
            f"the Hugging Face Hub has no such model, or it is private and {_asker(token)} may not see it",
            where=model_id,
            fix="Check the spelling, upper and lower case included; for a private model give a token that may read it.",
        )
    if status == 401 and token:
        return TokenInvalidError(
            "the Hugging Face Hub does not know this token: it is mistyped, expired or revoked",
            where="hf_token_secret",
            fix="Make a new one at https://huggingface.co/settings/tokens and add it to the secret as a new version.",
        )
    if status in (401, 403):
        return _forbidden(token, model_id)
    if code == "EntryNotFound":
        return HubAccessError(f"the model has no file {path!r} at {revision}", where=model_id)
    return ServiceError(f"the Hugging Face Hub answered with status {status}", where=model_id)


def _gated(message: str, token: str | None, model_id: str) -> HubAccessError:
    page = f"https://huggingface.co/{model_id}"
    if not token:
        return TokenMissingError(
            "the model is gated, and no Hugging Face token was given",
            where=model_id,
            fix=f"Accept the licence at {page}, store a token of that account in Secret Manager, and give the "
            "secret's resource name as hf_token_secret.",
        )
    if "fine-grained" in message:
        return _forbidden(token, model_id)
    return LicenseNotAcceptedError(
        "the model is gated, and the account of this token has not been let in",
        where=model_id,
        fix=f"Accept the licence at {page} with that account; some owners then take days to agree.",
    )


def _forbidden(token: str | None, model_id: str) -> HubAccessError:
    if not token:
        return TokenMissingError(
            "the Hugging Face Hub asks for a token",
            where=model_id,
            fix="Store one in Secret Manager and give the secret's resource name as hf_token_secret.",
        )
    return TokenInvalidError(
        "the token is not allowed to read this model",
        where=model_id,
        fix="At https://huggingface.co/settings/tokens allow it 'Read access to contents of all public gated repos "
        "you can access', or use a token of type Read.",
    )


def _asker(token: str | None) -> str:
    return "the account of this token" if token else "nobody without a token"


def _limit_waiting() -> None:
    """huggingface_hub's shared client waits for ever unless somebody has chosen otherwise."""
    import httpx2
    from huggingface_hub.utils import get_session

    session = get_session()
    if session.timeout == httpx2.Timeout(None):
        session.timeout = httpx2.Timeout(_REQUEST_TIMEOUT)
