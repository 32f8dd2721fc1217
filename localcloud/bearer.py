"""Which bearer tokens the local cloud takes: its own, and what a service account's key file signs for itself."""

import base64
import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any


class BearerTokens:
    """`access_token` is the one token that is given out: as Google's do, it outlives whoever gave it."""

    def __init__(self, file: Path) -> None:
        """`file`: where it is kept, readable by its owner alone; made when it is not there."""
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(f"ya29.local-{secrets.token_urlsafe(32)}")
        self.access_token = file.read_text()

    def accepts(self, authorization: str, now: datetime) -> bool:
        """`authorization`: an HTTP header, or gRPC's metadata of that name."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        own = secrets.compare_digest(token.strip().encode(), self.access_token.encode())
        return own or _is_self_signed(token.strip(), now)


def _is_self_signed(token: str, now: datetime) -> bool:
    """Whether `token` is a service account's JWT that is not expired (AIP-4111: clients then ask for no access token).

    Its signature cannot be checked: only Google knows the account's public key.
    """
    claims = _claims(token)
    issuer = str(claims.get("iss", ""))
    expires = claims.get("exp")
    return (
        issuer.endswith(".gserviceaccount.com")
        and claims.get("sub") == issuer
        and isinstance(expires, int)
        and expires > now.timestamp()
    )


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:  # no base64, no UTF-8, no JSON
        return {}
    return claims if isinstance(claims, dict) else {}
