"""Tokens that a service account's key signed: checked with the public halves of the keys that exist."""

import base64
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.protobuf import json_format

from localcloud.core.bearer import token_claims, token_header
from localcloud.core.cloud import SERVICE_ACCOUNTS, Cloud
from localcloud.services.iam.service_account_keys import KEYS


def signing_account(cloud: Cloud, token: str) -> str:
    """Email of the service account one of whose keys has signed the unexpired JWT `token`; "" where none has.

    Expired is by real time: a client renews its token by its own clock, which nobody has moved.
    """
    claims = token_claims(token)
    email, expires = claims.get("iss"), claims.get("exp")
    if not isinstance(email, str) or not isinstance(expires, int) or expires <= datetime.now(UTC).timestamp():
        return ""
    account = cloud.store.get(SERVICE_ACCOUNTS, email)
    if account is None:
        return ""
    key_id = token_header(token).get("kid")
    key = cloud.store.get(KEYS, f"{account['uniqueId']}/keys/{key_id}")
    return email if key is not None and _is_signed(token, json_format.MessageToDict(key)) else ""


def _is_signed(token: str, key: dict[str, Any]) -> bool:
    if key.get("disabled"):
        return False
    certificate = x509.load_pem_x509_certificate(base64.b64decode(key["publicKeyData"]))
    public = certificate.public_key()
    signed, _, signature = token.rpartition(".")
    try:
        given = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(given, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return token_header(token).get("alg") == "RS256"
