"""The signing algorithms that are carried out: elliptic curves over software keys. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from google.cloud.kms_v1.types import CryptoKeyVersion

_ALGORITHM = CryptoKeyVersion.CryptoKeyVersionAlgorithm


@dataclass(frozen=True)
class SigningAlgorithm:
    """A curve with the digest that `AsymmetricSign` takes for it."""

    curve: ec.EllipticCurve
    hash: hashes.HashAlgorithm
    digest_field: str
    """Field of `google.cloud.kms.v1.Digest`."""


# "Key purposes and algorithms" (Cloud KMS), elliptic curve signing algorithms.
ALGORITHMS: Mapping[int, SigningAlgorithm] = {
    _ALGORITHM.EC_SIGN_P256_SHA256: SigningAlgorithm(ec.SECP256R1(), hashes.SHA256(), "sha256"),
    _ALGORITHM.EC_SIGN_P384_SHA384: SigningAlgorithm(ec.SECP384R1(), hashes.SHA384(), "sha384"),
}


def generate(algorithm: SigningAlgorithm) -> bytes:
    """A new private key, PEM."""
    return ec.generate_private_key(algorithm.curve).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(private_pem: bytes) -> str:
    """The public half of a private key, PEM."""
    public = serialization.load_pem_private_key(private_pem, None).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def sign(private_pem: bytes, algorithm: SigningAlgorithm, digest: bytes) -> bytes:
    """The signature of a digest, DER as Cloud KMS returns it."""
    key = serialization.load_pem_private_key(private_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(digest, ec.ECDSA(Prehashed(algorithm.hash)))
