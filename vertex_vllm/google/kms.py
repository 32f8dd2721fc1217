"""Cloud KMS: a key version that signs, by its resource name. The private key never leaves the service."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.google.error_boundary import enable_api, google_errors, refusal_of
from vertex_vllm.google.iam import own_member
from vertex_vllm.google.shared_clients import google_client

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

# "Cloud KMS resource IDs".
_NAME = re.compile(
    r"projects/(?P<project>[a-z0-9.:-]+)/locations/(?P<location>[a-z0-9-]+)/keyRings/(?P<ring>[A-Za-z0-9_-]{1,63})"
    r"/cryptoKeys/(?P<key>[A-Za-z0-9_-]{1,63})/cryptoKeyVersions/(?P<version>[0-9]+)"
)
_ROLE = "roles/cloudkms.signerVerifier"
# Curve of the key → digest that Cloud KMS takes for it ("Key purposes and algorithms").
_DIGESTS = {"secp256r1": "sha256", "secp384r1": "sha384"}


@dataclass(frozen=True)
class KmsKey:
    """A version of an asymmetric signing key on an elliptic curve, P-256 or P-384."""

    name: str
    """`projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V`"""

    def __post_init__(self) -> None:
        _parts(self.name)

    @cached_property
    def public_key(self) -> "EllipticCurvePublicKey":
        """The public half, asked once. Raises InputError for a key that is missing, disabled, not granted or of another
        kind; ServiceError where Cloud KMS fails."""
        import google_crc32c
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        with _refusals(self.name):
            found = self._client.get_public_key(name=self.name)
        if google_crc32c.value(found.pem.encode()) != found.pem_crc32c:
            raise ServiceError("the public key that arrived does not match Cloud KMS's checksum", where=self.name)
        public = load_pem_public_key(found.pem.encode())
        if not isinstance(public, EllipticCurvePublicKey) or public.curve.name not in _DIGESTS:
            raise InputError(
                f"{found.algorithm.name} is not a signature on the curve P-256 or P-384",
                where=self.name,
                fix=f"Create such a key: {_create(self.name)}",
            )
        return public

    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature of `data`, DER. Raises as `public_key`."""
        import hashlib

        import google_crc32c

        algorithm = _DIGESTS[self.public_key.curve.name]
        digest = hashlib.new(algorithm, data).digest()
        with _refusals(self.name):
            answer = self._client.asymmetric_sign(
                request={
                    "name": self.name,
                    "digest": {algorithm: digest},
                    "digest_crc32c": google_crc32c.value(digest),
                }
            )
        # "Data integrity guidelines" (Cloud KMS): the checksums of the data sent and of the signature received.
        if not answer.verified_digest_crc32c or google_crc32c.value(answer.signature) != answer.signature_crc32c:
            raise ServiceError("the signature that arrived does not match Cloud KMS's checksum", where=self.name)
        return bytes(answer.signature)

    @cached_property
    def _client(self) -> Any:
        from google.cloud.kms_v1 import KeyManagementServiceClient

        with google_errors("Cloud KMS", self.name):
            return google_client(KeyManagementServiceClient)


def _parts(name: str) -> re.Match[str]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(
            "is not the name of a key version of Cloud KMS",
            where=name,
            fix="Write projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V.",
        )
    return found


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Refusals of Cloud KMS with the command that removes their cause."""
    from google.api_core.exceptions import FailedPrecondition, NotFound, PermissionDenied

    with google_errors("Cloud KMS", name):
        try:
            yield
        except NotFound as error:
            raise _refused(name, error, f"Create the key: {_create(name)}") from error
        except PermissionDenied as error:
            if enable_api(refusal_of(error)):
                raise
            raise _refused(name, error, _grant(name), said="this account may not use it: ") from error
        except FailedPrecondition as error:
            raise _refused(name, error, _enable(name)) from error


def _refused(name: str, error: Exception, fix: str, said: str = "") -> InputError:
    refusal = refusal_of(error)
    return InputError(f"{said}{refusal.words}", where=name, fix=fix, refusal=refusal)


def _create(name: str) -> str:
    part = _parts(name)
    place = f"--location={part['location']} --project={part['project']}"
    return (
        f"gcloud kms keyrings create {part['ring']} {place}; gcloud kms keys create {part['key']} "
        f"--keyring={part['ring']} {place} --purpose=asymmetric-signing --default-algorithm=ec-sign-p256-sha256"
    )


def _grant(name: str) -> str:
    part = _parts(name)
    return (
        f"Grant it: gcloud kms keys add-iam-policy-binding {part['key']} --keyring={part['ring']} "
        f"--location={part['location']} --project={part['project']} --member={own_member()} --role={_ROLE}"
    )


def _enable(name: str) -> str:
    part = _parts(name)
    return (
        f"Enable it, or name a version that is enabled: gcloud kms keys versions list --key={part['key']} "
        f"--keyring={part['ring']} --location={part['location']} --project={part['project']}"
    )
