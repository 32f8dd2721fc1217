"""The Hugging Face token that `vertex-vllm bootstrap` stores in Secret Manager."""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vertex_vllm.bootstrap.session import Session
    from vertex_vllm.bootstrap.setup_steps import Step


def secret_value(session: "Session", steps: tuple["Step", ...]) -> str:
    """The token, asked for if the secret has no value yet, else empty. Raises InputError for an empty answer."""
    from vertex_vllm.bootstrap.making import is_missing
    from vertex_vllm.bootstrap.setup_steps import SecretValue
    from vertex_vllm.errors import InputError
    from vertex_vllm.redaction import remember

    if not any(isinstance(step, SecretValue) and is_missing(session, step) for step in steps):
        return ""
    terminal = sys.stdin.isatty()
    value = click.prompt("Hugging Face token", hide_input=True, err=True) if terminal else sys.stdin.read()
    if not value.strip():
        raise InputError(
            "no Hugging Face token on standard input",
            where="secret hf-token",
            fix="Pipe it in, or give --no-hf-token when all models are public.",
        )
    token = str(value).strip()
    remember(token)
    return token
