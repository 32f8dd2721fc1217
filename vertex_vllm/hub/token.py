"""The Hub's token: reading it, and checking that it can be sent."""

import os
import re

from vertex_vllm.errors import TokenInvalidError, TokenMissingError
from vertex_vllm.google.secret_manager import read_secret
from vertex_vllm.redaction import remember

# Characters. Tokens of the Hub have 37; those that a workload exchanges are longer.
_LONGEST = 4096
_DISGUISES = (
    (re.compile("\ufeff"), "begins with a byte order mark, which some editors and shells write"),
    (re.compile(r"[\"'].*[\"']\Z", re.DOTALL), "is in quotation marks"),
    (re.compile(r"(?:export\s+)?\w+=(?=[^=])"), "begins with the name of a variable"),
    (re.compile(r"Bearer\b", re.IGNORECASE), "begins with Bearer, which is not part of it"),
    (re.compile(r"\{"), "is JSON"),
)


def hub_token(hf_token_secret: str) -> str | None:
    """The token in the secret version `projects/P/secrets/S/versions/V`, without white space; None for "" (anonymous).

    The one place where a pipeline reads a token. Raises TokenMissingError when there is only white space in the secret,
    TokenInvalidError when it cannot be a token, SecretAccessError and ServiceError as `read_secret` does.
    """
    if not hf_token_secret:
        return None
    token = read_secret(hf_token_secret).strip()
    if not token:
        raise TokenMissingError(
            "the secret holds nothing but white space",
            where=hf_token_secret,
            fix="Add a version that holds the token: gcloud secrets versions add.",
        )
    remember(checked_token(token))
    return token


def own_token() -> str | None:
    """The token of the shell's HF_TOKEN; None where it is empty. Raises TokenInvalidError."""
    token = checked_token(os.environ.get("HF_TOKEN", "").strip() or None)
    remember(token)
    return token


def checked_token(token: str | None) -> str | None:
    """`token`, if it can be sent in a header: HTTP libraries quote in their errors what they refuse to send."""
    if token is not None and (fault := _fault(token)):
        raise TokenInvalidError(
            f"the Hugging Face token {fault}",
            where=token_source(token),
            fix="Copy it again from https://huggingface.co/settings/tokens into the secret, and nothing else.",
        )
    return token


def _fault(token: str) -> str:
    """Why `token` cannot be one, without its characters; empty where it can."""
    if len(token) > _LONGEST:
        return f"has {len(token)} characters, and at most {_LONGEST} are allowed"
    for pattern, fault in _DISGUISES:
        if pattern.match(token):
            return fault
    legal = re.fullmatch(r"[\x21-\x7e]+", token)
    return "" if legal else "is empty, or holds a space, a line break or a non-ASCII character"


def token_source(token: str) -> str:
    """The name, in messages, of the place of `token`: the environment of a terminal, or a pipeline's secret."""
    return "HF_TOKEN" if token == os.environ.get("HF_TOKEN", "").strip() else "hf_token_secret"
