"""Keys that sign a mirror's manifest, or verify its signature: in Cloud KMS, or in a PEM file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vertex_vllm.errors import InputError
from vertex_vllm.google.kms import KmsKey

# The curves of the format: model_signing 1.1.1, `_signing/sign_ec_key.py`.
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


class SigningKey(Protocol):
    """A private key on an elliptic curve, in Cloud KMS or in a file."""

    @property
    def name(self) -> str: ...
    @property
    def public_key(self) -> ec.EllipticCurvePublicKey: ...
    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature of `data`, DER, over the digest that belongs to the curve."""


@dataclass(frozen=True)
class FileKey:
    """A PEM file with a private key without a password; with a public key it only verifies."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Raises InputError for a file that holds no key on a curve of the format."""
        return self._read if isinstance(self._read, ec.EllipticCurvePublicKey) else self._read.public_key()

    def sign(self, data: bytes) -> bytes:
        """Raises InputError for a file with a public key."""
        if isinstance(self._read, ec.EllipticCurvePublicKey):
            raise InputError("holds a public key, which cannot sign", where=self.name, fix="Name the private key.")
        return self._read.sign(data, ec.ECDSA(hash_of(self.public_key)))

    @cached_property
    def _read(self) -> ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=self.name) from None
        found = _key_of(data)
        if found is None or found.curve.name not in _HASHES:
            raise InputError(
                "holds no key on the curve P-256, P-384 or P-521 in PEM form, without a password",
                where=self.name,
                fix="Make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem",
            )
        return found


def signing_key(given: str) -> SigningKey:
    """The key of a resource name of Cloud KMS, or of a file. Raises InputError for a malformed name.

    Nothing is opened or asked before the key is used.
    """
    return KmsKey(given) if given.startswith("projects/") else FileKey(Path(given))


def hash_of(public: ec.EllipticCurvePublicKey) -> hashes.HashAlgorithm:
    """The digest that belongs to the key's curve."""
    return _HASHES[public.curve.name]


def _key_of(data: bytes) -> ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey | None:
    try:
        if b"PRIVATE KEY" in data:
            private = serialization.load_pem_private_key(data, None)
            return private if isinstance(private, ec.EllipticCurvePrivateKey) else None
        public = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, ec.EllipticCurvePublicKey) else None
