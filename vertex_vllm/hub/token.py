"""The Hub's token: reading it, and checking that it can be sent."""

import os
import re

from vertex_vllm.errors import TokenInvalidError, TokenMissingError
from vertex_vllm.google.secret_manager import read_secret
from vertex_vllm.redaction import remember


def hub_token(hf_token_secret: str) -> str | None:
    """The token in the secret version `projects/P/secrets/S/versions/V`, without white space; None for "" (anonymous).

    The one place where a pipeline reads a token. Raises TokenMissingError when there is only white space in the secret,
    TokenInvalidError when it cannot be a token, SecretAccessError and ServiceError as `read_secret` does.
    """
    if not hf_token_secret:
        return None
    token = read_secret(hf_token_secret).strip()
    remember(token)
    if not token:
        raise TokenMissingError(
            "the secret holds nothing but white space",
            where=hf_token_secret,
            fix="Add a version that holds the token: gcloud secrets versions add.",
        )
    return checked_token(token)


def own_token() -> str | None:
    """The token of the shell's HF_TOKEN; None where it is empty. Raises TokenInvalidError."""
    token = checked_token(os.environ.get("HF_TOKEN", "").strip() or None)
    remember(token)
    return token


def checked_token(token: str | None) -> str | None:
    """`token`, if it can be sent in a header: HTTP libraries quote in their errors what they refuse to send."""
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise TokenInvalidError(
            "the Hugging Face token is empty, or holds a space, a line break or a non-ASCII character",
            where=token_source(token),
            fix="Copy it again from https://huggingface.co/settings/tokens into the secret.",
        )
    return token


def token_source(token: str) -> str:
    """The name, in messages, of the place of `token`: the environment of a terminal, or a pipeline's secret."""
    return "HF_TOKEN" if token == os.environ.get("HF_TOKEN", "").strip() else "hf_token_secret"
