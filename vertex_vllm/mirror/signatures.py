"""The signature of a mirror, in the format of OpenSSF model signing 1.0: written and read without any file. Pure.

A sigstore bundle holds a DSSE envelope with an in-toto statement. The statement lists the SHA-256 of every file, as the
mirror verified it while copying; nothing is hashed again. `model_signing verify key` of the OpenSSF verifies a
downloaded copy with the public key. Sources, read 2026-11-30: github.com/sigstore/model-transparency at 1.1.1
(`_signing/signing.py`, `sign_ec_key.py`), DSSE v1.0.0 (protocol.md), in-toto Statement v1.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from vertex_vllm.mirror.own_objects import SIGNATURE_NAME
from vertex_vllm.mirror.signing_keys import SigningKey, hash_of

_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_BUNDLE_TYPE: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"] = "application/vnd.dev.sigstore.bundle.v0.3+json"
# The predicate may have fields of its own beside those of the format, which verifiers ignore.
_OWN_FIELD = "mirror"


class SignatureFaultError(ValueError):
    """A signature that cannot be read, or is not of the key, in words that end the sentence "the signature …"."""


@dataclass(frozen=True)
class Statement:
    """The content that is signed."""

    repository: str
    """On the Hugging Face Hub, owner/name."""
    commit: str
    uri: str
    """`gs://bucket/prefix` that the mirror wrote to."""
    mirrored_by: str
    """The account that wrote it, as IAM names it."""
    digests: Mapping[str, str]
    """Path below the prefix → SHA-256, hexadecimal: the model's files, the manifest and the bill of materials."""

    def to_json(self) -> str:
        paths = sorted(self.digests)
        root = hashlib.sha256(b"".join(bytes.fromhex(self.digests[path]) for path in paths)).hexdigest()
        return json.dumps(
            {
                "_type": _STATEMENT_TYPE,
                "subject": [{"name": self.repository, "digest": {"sha256": root}}],
                "predicateType": _PREDICATE_TYPE,
                "predicate": {
                    "serialization": {
                        "method": "files",
                        "hash_type": "sha256",
                        "allow_symlinks": False,
                        "ignore_paths": [SIGNATURE_NAME],
                    },
                    "resources": [
                        {"name": path, "algorithm": "sha256", "digest": self.digests[path]} for path in paths
                    ],
                    _OWN_FIELD: {
                        "repository": self.repository,
                        "commit": self.commit,
                        "uri": self.uri,
                        "mirroredBy": self.mirrored_by,
                    },
                },
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Raises SignatureFaultError for a statement that is not about a mirror."""
        try:
            fields = json.loads(text)
            predicate = fields["predicate"]
            if (fields["_type"], fields["predicateType"]) != (_STATEMENT_TYPE, _PREDICATE_TYPE):
                raise SignatureFaultError("is not about a model's files")
            resources = predicate["resources"]
            digests = {_text(each["name"]): _text(each["digest"]) for each in resources}
            if len(digests) != len(resources) or any(each["algorithm"] != "sha256" for each in resources):
                raise SignatureFaultError("lists a file twice, or by another digest than SHA-256")
            own = predicate[_OWN_FIELD]
            return cls(
                repository=_text(own["repository"]),
                commit=_text(own["commit"]),
                uri=_text(own["uri"]),
                mirrored_by=_text(own["mirroredBy"]),
                digests=digests,
            )
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            if isinstance(error, SignatureFaultError):
                raise
            raise SignatureFaultError("does not name the repository, commit and files of a mirror") from None


def sign(statement: Statement, key: SigningKey) -> str:
    """The signed statement as a bundle, JSON. Raises what the key raises."""
    from sigstore_models.bundle import v1 as bundles
    from sigstore_models.common import v1 as common
    from sigstore_models.intoto import Envelope, Signature

    payload = statement.to_json().encode()
    # The models of the bundle take bytes as base64.
    signature = Signature(sig=base64.b64encode(key.sign(_pre_authentication(payload))), keyid="")
    envelope = Envelope(payload=base64.b64encode(payload), payload_type=_PAYLOAD_TYPE, signatures=[signature])
    public = common.PublicKeyIdentifier(hint=_hint(key.public_key))
    bundle = bundles.Bundle(
        media_type=_BUNDLE_TYPE,
        verification_material=bundles.VerificationMaterial(public_key=public, tlog_entries=[]),
        dsse_envelope=envelope,
    )
    return str(bundle.to_json()) + "\n"


def verified(bundle: bytes, public: ec.EllipticCurvePublicKey) -> Statement:
    """The statement of a bundle that `public` verifies. Raises SignatureFaultError with the reason for any other."""
    from sigstore_models.bundle.v1 import Bundle

    try:
        fields: Any = json.loads(bundle)
        found = Bundle.from_dict(fields)
        envelope = found.dsse_envelope
        if found.media_type != _BUNDLE_TYPE or envelope is None or envelope.payload_type != _PAYLOAD_TYPE:
            raise SignatureFaultError("is not in the format of OpenSSF model signing 1.0")
        [signature] = envelope.signatures
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, SignatureFaultError):
            raise
        raise SignatureFaultError("cannot be read: it is not a sigstore bundle with one signature") from None
    material = found.verification_material.public_key
    hint = material.hint if material is not None else None
    if hint != _hint(public):
        raise SignatureFaultError("is by another key")
    try:
        public.verify(signature.sig, _pre_authentication(envelope.payload), ec.ECDSA(hash_of(public)))
    except InvalidSignature:
        raise SignatureFaultError("does not fit its content, which was changed after signing") from None
    return Statement.from_json(envelope.payload)


def _pre_authentication(payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's PAE, which binds the payload's type and length."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)


def _hint(public: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key in PEM form, as model_signing names a key."""
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
