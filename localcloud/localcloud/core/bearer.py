"""The tokens and keys that the local cloud issues, all derived from one secret of its state folder."""

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Any

_PREFIX = "ya29.local-"
_REFRESH_PREFIX = "1//local-"
_DIGEST_CHARACTERS = 40
ADMINISTRATION = "administration"
"""Purpose of the key that opens the admin address and Kubeflow Pipelines."""


class BearerTokens:
    """Issues access tokens that carry the caller. As Google's do, they outlive the daemon that issued them."""

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
        """The member whose token is in `authorization` (an HTTP header, or gRPC's metadata of that name); else None."""
        return self._member(bearer(authorization), _PREFIX, "")

    def refresh_token_of(self, member: str) -> str:
        """The refresh token in a login of `member`, as `authorized_user` files have it."""
        name = _encode(member.encode())
        return f"{_REFRESH_PREFIX}{name}-{self._digest(f'refresh {name}')}"

    def refreshed_member(self, refresh_token: str) -> str | None:
        """The member of the refresh token; None for an unknown one."""
        return self._member(refresh_token, _REFRESH_PREFIX, "refresh ")

    def key(self, purpose: str) -> str:
        """The key for requests of this purpose that no Google credential covers; the same each time."""
        return self._digest(f"key {purpose}")

    def _member(self, token: str, prefix: str, purpose: str) -> str | None:
        name, _, digest = token.removeprefix(prefix).rpartition("-")
        if not hmac.compare_digest(digest.encode(), self._digest(f"{purpose}{name}").encode()):
            return None
        return decode(name).decode()

    def _digest(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:_DIGEST_CHARACTERS]


def bearer(authorization: str) -> str:
    """The token of an HTTP header `Authorization: Bearer …`; empty for another scheme."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def token_header(token: str) -> dict[str, Any]:
    """The header of a JWT, not checked; empty when `token` is not one."""
    return _part(token, 0)


def token_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, not checked; empty when `token` is not one."""
    return _part(token, 1)


def _part(token: str, index: int) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        content = json.loads(decode(parts[index]))
    except ValueError:  # no base64, no UTF-8, no JSON
        return {}
    return content if isinstance(content, dict) else {}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
