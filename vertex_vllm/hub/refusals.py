"""Refusals of the Hub: read into one value, reported in the Hub's own words, with advice where the reason is known."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vertex_vllm.error_data import RETRYABLE_STATUS
from vertex_vllm.errors import (
    HubAccessError,
    LicenseNotAcceptedError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    ServiceError,
    TokenInvalidError,
    TokenMissingError,
)
from vertex_vllm.hub.token import token_source

# Characters of the Hub's words that a message shows.
_LONGEST_WORDS = 400
# Fields of a body in JSON that may hold the words, the likeliest first.
_WORDS_IN = ("error", "message", "detail", "errors", "msg", "title")
_FINE_GRAINED = re.compile(r"fine-grained")
_REJECTED = re.compile(r"\brejected\b", re.IGNORECASE)
_PENDING = re.compile(r"\b(?:await|pending)", re.IGNORECASE)
_OF_THE_TOKEN = re.compile(r"\btokens?\b|fine-grained|permission|\bscope|\brights\b|credentials", re.IGNORECASE)
_OTHER_REPOSITORY = "Choose another repository: its owner or Hugging Face has disabled this one. No token opens it."
_ACCOUNT = "Sign in at https://huggingface.co with the token's account: it must do or pay something first."
_OTHER_ADDRESS = "Reach the Hub from another address, or ask the operator of the network or Hugging Face to lift it."
# Reasons other than the token's rights, as public reports quote them; the first that matches counts.
_OTHER_REASONS = tuple(
    (re.compile(pattern, re.IGNORECASE), fix)
    for pattern, fix in (
        (
            r"\bSSO\b|single.sign.?on|\bSAML\b",
            "Sign in to the organisation with single sign-on, and authorise the token for it on its page.",
        ),
        (r"\b(?:disabled|flagged|malware|taken down|infring\w+)\b", _OTHER_REPOSITORY),
        (r"\bIP\b|from your (?:country|region|location|network)|\btraffic\b", _OTHER_ADDRESS),
        (
            r"\b(?:account|user|e-?mail)\b.*\b(?:blocked|banned|suspended|locked|confirm\w*|verif\w+)\b"
            r"|\b(?:confirm|verify)\b.*\b(?:account|e-?mail)\b|payment|billing|subscription",
            _ACCOUNT,
        ),
        (r"\bblocked\b|\bbanned\b", _OTHER_ADDRESS),
    )
)


@dataclass(frozen=True)
class HubWords:
    """An answer of the Hub with an error status."""

    status: int
    code: str = ""
    """`X-Error-Code`: GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound; empty where the Hub names none."""
    message: str = ""
    """`X-Error-Message`, else what the body says; one line; empty where the Hub says nothing."""

    def __str__(self) -> str:
        return f"status {self.status}: {self.message}" if self.message else f"status {self.status}"


def hub_name() -> str:
    """The Hub's name in messages; with its address if HF_ENDPOINT is not huggingface.co."""
    address = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    host = urlsplit(address).hostname or ""
    return f"the Hugging Face Hub at {address}" if host not in ("", "huggingface.co") else "the Hugging Face Hub"


def hub_words(status: int, headers: Mapping[str, str], body: bytes = b"") -> HubWords:
    """The Hub's code and message, from the headers or, where they are silent, from a body in JSON or plain text."""
    lowered = {name.lower(): value for name, value in headers.items()}
    message = lowered.get("x-error-message", "") or _words_of_body(body)
    return HubWords(status, lowered.get("x-error-code", ""), _one_line(_without_markup(message)))


def refusal(
    said: HubWords, *, token: str | None, model_id: str, revision: str = "", path: str = ""
) -> HubAccessError | ServiceError:
    """The error to raise for `said`. It advises about the token only where the Hub's reason is the token."""
    if fix := _other_reason(said):
        return HubAccessError(f"the Hugging Face Hub refuses with {said}", repo=model_id, fix=fix)
    if said.code == "GatedRepo":
        return _gated(said, token, model_id)
    if said.code == "RevisionNotFound":
        return RevisionNotFoundError(
            f"{model_id} has no revision {revision!r}",
            where="revision",
            repo=model_id,
            revision=revision,
            fix=f"Choose a branch, tag or commit of https://huggingface.co/{model_id}/commits/main.",
        )
    if said.code == "RepoNotFound":
        unseen = "the account of this token may not see it" if token else "it cannot be read without a token"
        return RepositoryNotFoundError(
            f"{hub_name()} has no such model, or it is private and {unseen}",
            repo=model_id,
            fix="Check the spelling, upper and lower case included; for a private model give a token that may read it.",
        )
    if said.code == "EntryNotFound":
        said_of = f"the model has no file {path!r} at {revision}"
        return HubAccessError(said_of, repo=model_id, revision=revision, path=path)
    if said.status in (401, 403):
        return _refused_access(said, token, model_id)
    if 400 <= said.status < 500 and said.status not in RETRYABLE_STATUS:
        # The Hub gives each of its 404s a code: one without a code comes from a proxy or another server.
        fix = "Check HF_ENDPOINT and the proxy: the Hub itself names what it lacks." if said.status == 404 else ""
        return HubAccessError(f"{hub_name()} refuses with {said}", repo=model_id, fix=fix)
    return ServiceError(f"the Hugging Face Hub answered with {said}", where=model_id)


def _gated(said: HubWords, token: str | None, model_id: str) -> HubAccessError:
    page = f"https://huggingface.co/{model_id}"
    if not token:
        return TokenMissingError(
            "the model is gated, and no Hugging Face token was given",
            repo=model_id,
            fix=f"Accept the licence at {page}, store a token of that account in Secret Manager, and give the "
            "secret's resource name as hf_token_secret.",
        )
    if _FINE_GRAINED.search(said.message):
        return _token_not_allowed(said, model_id)
    if _REJECTED.search(said.message):
        reason, fix = "its owners have refused this account", f"Ask them at {page}, or use another account's token."
    elif _PENDING.search(said.message):
        reason, fix = "its owners have not answered yet", f"Wait for their answer, shown at {page}; some take days."
    else:
        reason = "the account of this token has not been let in"
        fix = f"Accept the licence at {page} with that account; some owners then take days to agree."
    return LicenseNotAcceptedError(f"the model is gated, and {reason}", repo=model_id, fix=fix)


def _other_reason(said: HubWords) -> str:
    """The advice for a refusal whose reason is not the token's rights; empty for any other answer."""
    if said.status in (410, 451):
        return _OTHER_REPOSITORY
    if said.status not in (401, 402, 403):
        return ""
    if said.status == 402:
        return _ACCOUNT
    return next((fix for pattern, fix in _OTHER_REASONS if pattern.search(said.message)), "")


def _refused_access(said: HubWords, token: str | None, model_id: str) -> HubAccessError:
    """The error for 401 or 403 without a code."""
    if said.status == 401 and token:
        return TokenInvalidError(
            f"the Hugging Face Hub does not know this token: it is mistyped, expired or revoked ({said})",
            where=token_source(token),
            repo=model_id,
            fix="Make a new one at https://huggingface.co/settings/tokens and add it to the secret as a new version.",
        )
    if said.status == 401:
        return TokenMissingError(
            f"the Hugging Face Hub asks for a token ({said})",
            repo=model_id,
            fix="Store one in Secret Manager and give the secret's resource name as hf_token_secret.",
        )
    if _OF_THE_TOKEN.search(said.message) and token:
        return _token_not_allowed(said, model_id)
    silent = "" if said.message else " and gives no reason"
    return HubAccessError(f"the Hugging Face Hub refuses with {said}{silent}", repo=model_id)


def _token_not_allowed(said: HubWords, model_id: str) -> TokenInvalidError:
    return TokenInvalidError(
        f"the token is not allowed to read this model ({said})",
        repo=model_id,
        fix="At https://huggingface.co/settings/tokens allow it 'Read access to contents of all public gated repos "
        "you can access', or use a token of type Read.",
    )


def _words_of_body(body: bytes) -> str:
    text = body[:10_000].decode(errors="replace").strip()
    try:
        told = json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        return ""
    while isinstance(told, dict | list):
        if isinstance(told, list):
            told = told[0] if told else ""
        else:
            told = next((told[name] for name in _WORDS_IN if told.get(name)), "")
    return told if isinstance(told, str) else ""


def _without_markup(text: str) -> str:
    """The title, if the text is a page of HTML, as proxies and the content network send."""
    if not text.lstrip().startswith("<"):
        return text
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return title[1] if title else ""


def _one_line(text: str) -> str:
    """The text on one line, without control characters: a service's text is untrusted."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
