"""The tokens that the local cloud issues, each of which carries its member of IAM."""

import base64
import json
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from localcloud.core.callers import email_of
from localcloud.core.cloud import Cloud

# Lifetime in Google's answers for a fresh token, in seconds. A local token lasts as long as the state directory.
LIFETIME_SECONDS = 3599


def access_token_answer(cloud: Cloud, member: str) -> dict[str, Any]:
    """An OAuth 2 token response (RFC 6749, section 5.1)."""
    return {"access_token": cloud.token_of(member), "expires_in": LIFETIME_SECONDS, "token_type": "Bearer"}


def identity_token(cloud: Cloud, member: str, audience: str) -> str:
    """An OpenID Connect token of `member`, signed (ES256) with a key of this process."""
    issued = cloud.clock()
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": str(cloud.project_number(cloud.project)),
        "sub": str(cloud.project_number(cloud.project)),
        "email": email_of(member),
        "email_verified": True,
        "iat": int(issued.timestamp()),
        "exp": int((issued + timedelta(seconds=LIFETIME_SECONDS)).timestamp()),
    }
    signed = f"{_part({'alg': 'ES256', 'typ': 'JWT', 'kid': 'local'})}.{_part(claims)}"
    r, s = decode_dss_signature(_signing_key().sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_encode(r.to_bytes(32) + s.to_bytes(32))}"


@cache
def _signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _part(content: dict[str, Any]) -> str:
    return _encode(json.dumps(content, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
