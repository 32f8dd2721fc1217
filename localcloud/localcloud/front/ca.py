"""A private certificate authority for Google's host names, trusted only by clients with its bundle."""

import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS = 365
_LEAF_DAYS = 30
# An authority that expires within this time is replaced: a daemon may run for that long.
_RENEW_DAYS = 60


class CertificateAuthority:
    """The key is in a 0600 file of `directory` and stays the same from one daemon to the next."""

    def __init__(self, directory: Path) -> None:
        self._key_file = directory / "key.pem"
        self._certificate_file = directory / "certificate.pem"
        self._directory = directory
        self._key, self._certificate = self._load() or self._create()
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: dict[tuple[str, tuple[str, ...]], ssl.SSLContext] = {}
        self._lock = threading.Lock()
        # Always rewritten: certifi's own part may have changed since.
        authority = self._certificate.public_bytes(serialization.Encoding.PEM)
        (directory / "bundle.pem").write_bytes(Path(certifi.where()).read_bytes() + b"\n" + authority)

    def server_context(self, host: str, protocols: tuple[str, ...]) -> ssl.SSLContext:
        """A TLS context that proves to be `host` and offers `protocols` by ALPN, the preferred one first."""
        with self._lock:
            if (host, protocols) not in self._contexts:
                self._contexts[host, protocols] = self._make_context(host, protocols)
            return self._contexts[host, protocols]

    def _make_context(self, host: str, protocols: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The ssl module reads keys from files only; this one lives as long as the call.
        chain = self._directory / "leaf.pem"
        _write_private(chain, _private_pem(self._leaf_key) + self._leaf(host).public_bytes(serialization.Encoding.PEM))
        try:
            context.load_cert_chain(chain)
        finally:
            chain.unlink()
        context.set_alpn_protocols(list(protocols))
        return context

    def _leaf(self, host: str) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            _builder(host[:64], self._certificate.subject, self._leaf_key.public_key(), now, _LEAF_DAYS)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _load(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
        if not (self._key_file.exists() and self._certificate_file.exists()):
            return None
        certificate = x509.load_pem_x509_certificate(self._certificate_file.read_bytes())
        if certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=_RENEW_DAYS):
            return None
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        return (key, certificate) if isinstance(key, ec.EllipticCurvePrivateKey) else None

    def _create(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local cloud certificate authority")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(name, name, key.public_key(), datetime.now(UTC), _AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_private(self._key_file, _private_pem(key))
        self._certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return key, certificate


def _builder(
    subject: x509.Name | str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    if isinstance(subject, str):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Backdated, so that it is valid for a client whose clock is a little behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
