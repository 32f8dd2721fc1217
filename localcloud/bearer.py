"""Which bearer tokens the local cloud takes: its own, and what a service account's key file signs for itself."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

_PREFIX = "ya29.local-"
_DIGEST_CHARACTERS = 40


class BearerTokens:
    """Gives out access tokens that carry who calls. As Google's do, they outlive the daemon that gave them."""

    def __init__(self, file: Path) -> None:
        """`file`: holds the key that signs tokens, readable by its owner alone; made when it does not exist."""
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(32))
        self._key = file.read_bytes()

    def token_of(self, member: str) -> str:
        """The access token of a member of IAM, the same each time."""
        name = _encode(member.encode())
        return f"{_PREFIX}{name}-{self._digest(name)}"

    def member_of(self, authorization: str) -> str | None:
        """The member whose token `authorization` (an HTTP header, or gRPC's metadata of that name) is; else None."""
        name, _, digest = _bearer(authorization).removeprefix(_PREFIX).rpartition("-")
        if not hmac.compare_digest(digest.encode(), self._digest(name).encode()):
            return None
        return decode(name).decode()

    def _digest(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:_DIGEST_CHARACTERS]


def self_signed_account(authorization: str, now: datetime) -> str:
    """The service account whose unexpired JWT is sent in an access token's place (AIP-4111); "" when it is none.

    Its signature is not checked: only Google knows the account's public key.
    """
    claims = token_claims(_bearer(authorization))
    issuer = str(claims.get("iss", ""))
    expires = claims.get("exp")
    valid = (
        issuer.endswith(".gserviceaccount.com")
        and claims.get("sub") == issuer
        and isinstance(expires, int)
        and expires > now.timestamp()
    )
    return issuer if valid else ""


def token_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT; empty when `token` is not one."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(decode(parts[1]))
    except ValueError:  # no base64, no UTF-8, no JSON
        return {}
    return claims if isinstance(claims, dict) else {}


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
