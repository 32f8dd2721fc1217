"""Tokens as GitHub's issuer signs them, with a key that the tests' provider trusts, and credentials from them."""

import base64
import json
import time
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth import identity_pool, jwt
from google.auth.crypt import RSASigner

GITHUB = "https://token.actions.githubusercontent.com"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def key_set() -> str:
    """The public key, as `oidc.jwksJson` has it."""
    numbers = _key().public_key().public_numbers()
    return json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "n": _base64(numbers.n), "e": _base64(numbers.e)}]})


def workflow_token(provider: str, **claims: Any) -> str:
    """The token of a workflow's job that a push to main started; `provider` is its audience."""
    pem = _key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    usual = {
        "iss": GITHUB,
        "aud": f"https://iam.googleapis.com/{provider}",
        "sub": "repo:team/models:ref:refs/heads/main",
        "repository_id": "1",
        "repository_owner_id": "2",
        "ref": "refs/heads/main",
        "event_name": "push",
        "exp": int(time.time()) + 300,
    }
    token: bytes = jwt.encode(RSASigner.from_string(pem), usual | claims)
    return token.decode()


def federated(provider: str, token: Path, account: str = "") -> Any:
    """Google's own credentials for the token that a file holds, acting as `account` where that is given."""
    fields = {
        "audience": f"//iam.googleapis.com/{provider}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": str(token)},
    }
    if account:
        url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        fields["service_account_impersonation_url"] = url
    return identity_pool.Credentials.from_info(fields, scopes=_SCOPES)


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _base64(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
