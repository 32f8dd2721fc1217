"""Stored service accounts and keys, and the check of tokens that a key has signed."""

import base64
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from localcloud.core.bearer import token_claims, token_header
from localcloud.core.store import Kind, Store

SERVICE_ACCOUNTS = Kind("service account", Struct)
"""By email, as the REST API has them."""

KEYS = Kind("service account key", Struct)
"""By `<the account's unique id>/keys/<key id>`, with `publicKeyData`: a certificate (PEM) in base64."""


def signing_account(store: Store, token: str) -> str:
    """Email of the service account whose key has signed the unexpired JWT `token`; "": no key has.

    Expiry is judged by real time: a client renews its token by its own clock, which was not moved.
    """
    claims = token_claims(token)
    email, expires = claims.get("iss"), claims.get("exp")
    if not isinstance(email, str) or not isinstance(expires, int) or expires <= datetime.now(UTC).timestamp():
        return ""
    account = store.get(SERVICE_ACCOUNTS, email)
    if account is None:
        return ""
    key_id = token_header(token).get("kid")
    key = store.get(KEYS, f"{account['uniqueId']}/keys/{key_id}")
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
