"""Keys of service accounts: created here and returned once, or public keys that a caller uploads.

The private half is in the answer and nowhere else. The public half is stored as a certificate, to check token requests
that the key has signed.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, fields_of, struct_of
from localcloud.core.signed_tokens import KEYS
from localcloud.services.iam.service_accounts import check_names

# IAM, "Quotas and limits": service account keys for each service account.
_MOST_KEYS = 10
_FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_BITS = {"KEY_ALG_RSA_1024": 1024, "KEY_ALG_RSA_2048": 2048}
_UNIVERSE = "googleapis.com"


def create(cloud: Cloud, account: Fields, body: Fields) -> Fields:
    """A new key with its private half as a credentials file. Raises ApiError UNIMPLEMENTED for PKCS12."""
    check_names(body, {"privateKeyType", "keyAlgorithm"})
    if body.get("privateKeyType") == "TYPE_PKCS12_FILE":
        raise ApiError("UNIMPLEMENTED", "The local cloud makes no PKCS12 files; ask for TYPE_GOOGLE_CREDENTIALS_FILE.")
    algorithm = body.get("keyAlgorithm") or "KEY_ALG_RSA_2048"
    if algorithm not in _BITS:
        raise ApiError("INVALID_ARGUMENT", f"Invalid value for keyAlgorithm: {algorithm!r}.")
    private = rsa.generate_private_key(public_exponent=65537, key_size=_BITS[algorithm])
    key = _store(cloud, account, "GOOGLE_PROVIDED", algorithm, _certificate(private, account))
    key_id = key["name"].rpartition("/")[2]
    file = json.dumps(_credentials_file(private, key_id, account), indent=2).encode()
    private_half = {"privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE", "privateKeyData": base64.b64encode(file).decode()}
    return {**_without_public_half(key), **private_half}


def upload(cloud: Cloud, account: Fields, body: Fields) -> Fields:
    """A public key of the caller's, as a certificate in PEM. Raises ApiError INVALID_ARGUMENT."""
    check_names(body, {"publicKeyData"})
    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(body.get("publicKeyData", "")))
    except ValueError:
        raise ApiError("INVALID_ARGUMENT", "publicKeyData is not an X.509 certificate in PEM.") from None
    return _without_public_half(_store(cloud, account, "USER_PROVIDED", "KEY_ALG_RSA_2048", certificate))


def list_keys(cloud: Cloud, account: Fields, types: list[str]) -> Fields:
    """The account's keys of these `types`; Google's own keys, which the real service also lists, do not exist here."""
    if types and "USER_MANAGED" not in types:
        return {}
    keys = [_without_public_half(fields_of(key)) for key in cloud.store.list(KEYS, f"{account['uniqueId']}/keys")]
    return {"keys": keys} if keys else {}


def get(cloud: Cloud, account: Fields, key_id: str, query: Mapping[str, str]) -> Fields:
    key = _require(cloud, account, key_id)
    wanted = query.get("publicKeyType", "TYPE_NONE")
    if wanted == "TYPE_NONE":
        return _without_public_half(key)
    if wanted == "TYPE_X509_PEM_FILE":
        return key
    certificate = x509.load_pem_x509_certificate(base64.b64decode(key["publicKeyData"]))
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return {**key, "publicKeyData": base64.b64encode(certificate.public_key().public_bytes(encoding, form)).decode()}


def set_disabled(cloud: Cloud, account: Fields, key_id: str, disabled: bool) -> Fields:
    key = _require(cloud, account, key_id)
    _put(cloud, account, {**{name: value for name, value in key.items() if name != "disabled"}, **_disabled(disabled)})
    return {}


def delete(cloud: Cloud, account: Fields, key_id: str) -> Fields:
    _require(cloud, account, key_id)
    cloud.store.delete(KEYS, f"{account['uniqueId']}/keys/{key_id}")
    return {}


def _store(cloud: Cloud, account: Fields, origin: str, algorithm: str, certificate: x509.Certificate) -> Fields:
    key = {
        "name": f"{account['name']}/keys/{cloud.ids.hex(40)}",
        "validAfterTime": certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "validBeforeTime": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "keyAlgorithm": algorithm,
        "keyOrigin": origin,
        "keyType": "USER_MANAGED",
        "publicKeyData": base64.b64encode(certificate.public_bytes(serialization.Encoding.PEM)).decode(),
    }
    with cloud.store.transaction():
        if len(cloud.store.list(KEYS, f"{account['uniqueId']}/keys")) >= _MOST_KEYS:
            raise ApiError("FAILED_PRECONDITION", "Precondition check failed.")
        _put(cloud, account, key)
    return key


def _certificate(private: rsa.RSAPrivateKey, account: Fields) -> x509.Certificate:
    """A certificate without end, valid from now by the machine's clock, with which clients sign."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, account["uniqueId"])])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC))
        .not_valid_after(_FOR_EVER)
        .sign(private, hashes.SHA256())
    )


def _credentials_file(private: rsa.RSAPrivateKey, key_id: str, account: Fields) -> dict[str, str]:
    form = serialization.PrivateFormat.PKCS8
    pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    certificates = f"https://www.{_UNIVERSE}/robot/v1/metadata/x509/{account['email'].replace('@', '%40')}"
    return {
        "type": "service_account",
        "project_id": account["projectId"],
        "private_key_id": key_id,
        "private_key": pem,
        "client_email": account["email"],
        "client_id": account["uniqueId"],
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": f"https://oauth2.{_UNIVERSE}/token",
        "auth_provider_x509_cert_url": f"https://www.{_UNIVERSE}/oauth2/v1/certs",
        "client_x509_cert_url": certificates,
        "universe_domain": _UNIVERSE,
    }


def _require(cloud: Cloud, account: Fields, key_id: str) -> Fields:
    found = cloud.store.get(KEYS, f"{account['uniqueId']}/keys/{key_id}")
    if found is None:
        raise ApiError("NOT_FOUND", f"Service account key {account['name']}/keys/{key_id} does not exist.")
    return fields_of(found)


def _put(cloud: Cloud, account: Fields, key: Fields) -> None:
    message = struct_of(key)
    cloud.store.put(KEYS, f"{account['uniqueId']}/keys/{key['name'].rpartition('/')[2]}", message)


def _without_public_half(key: Fields) -> Fields:
    return {name: value for name, value in key.items() if name != "publicKeyData"}


def _disabled(disabled: bool) -> Fields:
    return {"disabled": True} if disabled else {}
