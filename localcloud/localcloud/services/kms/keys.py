"""Cloud KMS: keys that sign. Private keys are kept in the store of secrets, and nowhere else.

Carried out: key rings, keys of purpose ASYMMETRIC_SIGN on elliptic curves in software, versions with their states, the
public key and signatures of digests; IAM policies of rings and keys in `policies`. Every other purpose, algorithm and
protection level is refused by name.
"""

import re
from typing import Any

import google_crc32c
from google.cloud.kms_v1.types import (
    AsymmetricSignResponse,
    CryptoKey,
    CryptoKeyVersion,
    KeyRing,
    ListCryptoKeysResponse,
    ListCryptoKeyVersionsResponse,
    ListKeyRingsResponse,
    ProtectionLevel,
    PublicKey,
)
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.core.store import Kind, M
from localcloud.services.kms import signing_algorithms as algorithms

KEY_RINGS = Kind("KMS key ring", KeyRing.pb())
KEYS = Kind("KMS key", CryptoKey.pb())
VERSIONS = Kind("KMS key version", CryptoKeyVersion.pb())
PRIVATE_KEYS = Kind("KMS private key", BytesValue)

# "Cloud KMS resource IDs": letters, digits, underscores and hyphens, 1 to 63.
_ID = re.compile(r"[A-Za-z0-9_-]{1,63}")
_STATE = CryptoKeyVersion.CryptoKeyVersionState
_ALGORITHM = CryptoKeyVersion.CryptoKeyVersionAlgorithm
# CryptoKey.destroy_scheduled_duration: 30 days by default; the version does not sign from the request on.
_DESTROY_AFTER_SECONDS = 30 * 24 * 3600

service = Service("google.cloud.kms.v1.KeyManagementService")


@service.method("CreateKeyRing")
def create_key_ring(request: Any, cloud: Cloud) -> Message:
    ring = KeyRing.pb()(name=_new_name(cloud, request.parent, "keyRings", request.key_ring_id))
    ring.create_time.CopyFrom(cloud.timestamp())
    _create(cloud, KEY_RINGS, ring)
    return ring


@service.method("GetKeyRing")
def get_key_ring(request: Any, cloud: Cloud) -> Message:
    return _found(cloud, KEY_RINGS, request.name)


@service.method("ListKeyRings")
def list_key_rings(request: Any, cloud: Cloud) -> Message:
    rings = cloud.store.list(KEY_RINGS, _stored_name(cloud, request.parent))
    chosen, token = page(rings, request)
    return ListKeyRingsResponse.pb()(key_rings=chosen, next_page_token=token, total_size=len(rings))


@service.method("CreateCryptoKey")
def create_crypto_key(request: Any, cloud: Cloud) -> Message:
    """Also creates the first version, unless the request says otherwise."""
    _found(cloud, KEY_RINGS, request.parent)
    asked = request.crypto_key
    if asked.purpose != CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN:
        name = CryptoKey.CryptoKeyPurpose(asked.purpose).name
        raise ApiError("UNIMPLEMENTED", f"The local cloud keeps keys of purpose ASYMMETRIC_SIGN, not {name}.")
    template = asked.version_template
    _algorithm(template.algorithm)
    if template.protection_level not in (
        ProtectionLevel.PROTECTION_LEVEL_UNSPECIFIED,
        ProtectionLevel.SOFTWARE,
    ):
        name = ProtectionLevel(template.protection_level).name
        raise ApiError("UNIMPLEMENTED", f"The local cloud keeps keys in software, not in {name}.")
    key = CryptoKey.pb()(name=_new_name(cloud, request.parent, "cryptoKeys", request.crypto_key_id))
    key.purpose = asked.purpose
    key.labels.update(asked.labels)
    key.version_template.algorithm = template.algorithm
    key.version_template.protection_level = ProtectionLevel.SOFTWARE
    key.create_time.CopyFrom(cloud.timestamp())
    key.destroy_scheduled_duration.FromSeconds(asked.destroy_scheduled_duration.seconds or _DESTROY_AFTER_SECONDS)
    with cloud.store.transaction():
        _create(cloud, KEYS, key)
        if not request.skip_initial_version_creation:
            _new_version(cloud, key)
    return key


@service.method("GetCryptoKey")
def get_crypto_key(request: Any, cloud: Cloud) -> Message:
    return _found(cloud, KEYS, request.name)


@service.method("ListCryptoKeys")
def list_crypto_keys(request: Any, cloud: Cloud) -> Message:
    keys = cloud.store.list(KEYS, _stored_name(cloud, _found(cloud, KEY_RINGS, request.parent).name))
    chosen, token = page(keys, request)
    return ListCryptoKeysResponse.pb()(crypto_keys=chosen, next_page_token=token, total_size=len(keys))


@service.method("CreateCryptoKeyVersion")
def create_crypto_key_version(request: Any, cloud: Cloud) -> Message:
    with cloud.store.transaction():
        return _new_version(cloud, _found(cloud, KEYS, request.parent))


@service.method("GetCryptoKeyVersion")
def get_crypto_key_version(request: Any, cloud: Cloud) -> Message:
    return _found(cloud, VERSIONS, request.name)


@service.method("ListCryptoKeyVersions")
def list_crypto_key_versions(request: Any, cloud: Cloud) -> Message:
    versions = cloud.store.list(VERSIONS, _stored_name(cloud, _found(cloud, KEYS, request.parent).name))
    chosen, token = page(versions, request)
    return ListCryptoKeyVersionsResponse.pb()(
        crypto_key_versions=chosen, next_page_token=token, total_size=len(versions)
    )


@service.method("UpdateCryptoKeyVersion")
def update_crypto_key_version(request: Any, cloud: Cloud) -> Message:
    """Enables or disables a version, the only change that Cloud KMS accepts here."""
    wanted = request.crypto_key_version
    if list(request.update_mask.paths) != ["state"] or wanted.state not in (_STATE.ENABLED, _STATE.DISABLED):
        raise ApiError("INVALID_ARGUMENT", "Only state may be updated, to ENABLED or DISABLED.")
    found = _found(cloud, VERSIONS, wanted.name)
    with cloud.store.update(VERSIONS, _stored_name(cloud, found.name)) as version:
        if version.state not in (_STATE.ENABLED, _STATE.DISABLED):
            raise _not_enabled(version)
        version.state = wanted.state
    return version


@service.method("DestroyCryptoKeyVersion")
def destroy_crypto_key_version(request: Any, cloud: Cloud) -> Message:
    """Schedules the destruction; the version no longer signs, and cannot be restored here."""
    found = _found(cloud, VERSIONS, request.name)
    with cloud.store.update(VERSIONS, _stored_name(cloud, found.name)) as version:
        if version.state not in (_STATE.ENABLED, _STATE.DISABLED):
            raise _not_enabled(version)
        version.state = _STATE.DESTROY_SCHEDULED
        version.destroy_time.FromSeconds(cloud.timestamp().seconds + _DESTROY_AFTER_SECONDS)
    return version


@service.method("GetPublicKey")
def get_public_key(request: Any, cloud: Cloud) -> Message:
    if request.public_key_format not in (
        PublicKey.PublicKeyFormat.PUBLIC_KEY_FORMAT_UNSPECIFIED,
        PublicKey.PublicKeyFormat.PEM,
    ):
        name = PublicKey.PublicKeyFormat(request.public_key_format).name
        raise ApiError("UNIMPLEMENTED", f"The local cloud gives public keys as PEM, not as {name}.")
    version = _enabled(cloud, request.name)
    pem = algorithms.public_pem(_private_key(cloud, version))
    checksum = google_crc32c.value(pem.encode())
    public = PublicKey.pb()(
        name=version.name, pem=pem, algorithm=version.algorithm, protection_level=version.protection_level
    )
    public.pem_crc32c.value = checksum
    if request.public_key_format:
        public.public_key_format = request.public_key_format
        public.public_key.data = pem.encode()
        public.public_key.crc32c_checksum.value = checksum
    return public


@service.method("AsymmetricSign")
def asymmetric_sign(request: Any, cloud: Cloud) -> Message:
    version = _enabled(cloud, request.name)
    algorithm = _algorithm(version.algorithm)
    given = request.digest.WhichOneof("digest")
    if request.data or given != algorithm.digest_field:
        raise ApiError(
            "INVALID_ARGUMENT",
            f"{_ALGORITHM(version.algorithm).name} signs a {algorithm.digest_field} digest; "
            f"got {'data' if request.data else given or 'none'}.",
        )
    digest = getattr(request.digest, given)
    if len(digest) != algorithm.hash.digest_size:
        raise ApiError("INVALID_ARGUMENT", f"The digest has {len(digest)} bytes, not {algorithm.hash.digest_size}.")
    checked = request.HasField("digest_crc32c")
    if checked and request.digest_crc32c.value != google_crc32c.value(digest):
        raise ApiError(
            "INVALID_ARGUMENT", "The checksum in field digest_crc32c did not match the data in field digest."
        )
    signature = algorithms.sign(_private_key(cloud, version), algorithm, digest)
    answer = AsymmetricSignResponse.pb()(
        name=version.name,
        signature=signature,
        verified_digest_crc32c=checked,
        protection_level=version.protection_level,
    )
    answer.signature_crc32c.value = google_crc32c.value(signature)
    return answer


def _new_version(cloud: Cloud, key: Any) -> Any:
    """A new version, ready at once, where Google may take seconds. Call it inside a transaction."""
    number = len(cloud.store.list(VERSIONS, _stored_name(cloud, key.name))) + 1
    version = CryptoKeyVersion.pb()(
        name=f"{key.name}/cryptoKeyVersions/{number}",
        state=_STATE.ENABLED,
        protection_level=ProtectionLevel.SOFTWARE,
        algorithm=key.version_template.algorithm,
    )
    version.create_time.CopyFrom(cloud.timestamp())
    version.generate_time.CopyFrom(cloud.timestamp())
    stored = _stored_name(cloud, version.name)
    private = algorithms.generate(_algorithm(version.algorithm))
    cloud.secrets.put(PRIVATE_KEYS, stored, BytesValue(value=private))
    cloud.store.put(VERSIONS, stored, version)
    return version


def _private_key(cloud: Cloud, version: Any) -> bytes:
    value: bytes = cloud.secrets.require(PRIVATE_KEYS, _stored_name(cloud, version.name)).value
    return value


def _algorithm(number: int) -> algorithms.SigningAlgorithm:
    found = algorithms.ALGORITHMS.get(number)
    if found is None:
        known = ", ".join(_ALGORITHM(each).name for each in algorithms.ALGORITHMS)
        raise ApiError("UNIMPLEMENTED", f"The local cloud signs with {known}, not with {_ALGORITHM(number).name}.")
    return found


def _enabled(cloud: Cloud, name: str) -> Any:
    version = _found(cloud, VERSIONS, name)
    if version.state != _STATE.ENABLED:
        raise _not_enabled(version)
    return version


def _not_enabled(version: Any) -> ApiError:
    # sethvargo/vault-on-gke#56, 2019-06-21: "… is not enabled, current state is: DESTROYED."
    return ApiError(
        "FAILED_PRECONDITION", f"{version.name} is not enabled, current state is: {_STATE(version.state).name}."
    )


def _create(cloud: Cloud, kind: Kind[M], message: Any) -> None:
    stored = _stored_name(cloud, message.name)
    with cloud.store.transaction():
        if cloud.store.get(kind, stored) is not None:
            raise ApiError("ALREADY_EXISTS", f"{_kind(kind)} {message.name} already exists.")
        cloud.store.put(kind, stored, message)


def _found(cloud: Cloud, kind: Kind[M], name: str) -> Any:
    found = cloud.store.get(kind, _stored_name(cloud, name))
    if found is None:
        raise ApiError("NOT_FOUND", f"{_kind(kind)} {name} not found.")
    return found


def _kind(kind: Kind[M]) -> str:
    name: str = kind.message_type.DESCRIPTOR.name
    return name


def _new_name(cloud: Cloud, parent: str, collection: str, given: str) -> str:
    """The resource's name with the project's id, as Cloud KMS answers it."""
    if not _ID.fullmatch(given):
        raise ApiError(
            "INVALID_ARGUMENT", f"The resource ID `{given}` is not 1 to 63 letters, digits, hyphens and underscores."
        )
    _, project, rest = parent.split("/", 2)
    return f"projects/{cloud.project_id(project)}/{rest}/{collection}/{given}"


def _stored_name(cloud: Cloud, name: str) -> str:
    return cloud.canonical(name)
