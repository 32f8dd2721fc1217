"""The provenance that Cloud Build signs for an image: the build that made it. Pure.

The envelope is DSSE with an in-toto statement of SLSA 1.0. Sources, read 2026-11-30: DSSE v1.0.0 (protocol.md), in-toto
Statement v1, SLSA Provenance v1, and provenance of a real build (docs/security.md).
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PublicKeyOf = Callable[[str], ec.EllipticCurvePublicKey]
"""Resource name of a key version in Cloud KMS → its public half."""

# Google's own project, whose keys sign provenance; the location is global for SLSA 1.0.
_ATTESTOR = re.compile(
    r"projects/verified-builder/locations/global/keyRings/attestor/cryptoKeys/google-hosted-worker"
    r"/cryptoKeyVersions/[1-9][0-9]{0,5}"
)
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
_BUILDER = "https://cloudbuild.googleapis.com/GoogleHostedWorker"
_BUILD_TYPE = "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1"
_INVOCATION = re.compile(
    r"https://cloudbuild\.googleapis\.com/v1/"
    r"(projects/[a-z0-9.:-]+/locations/(?:global|[a-z]+-[a-z]+[0-9]+)/builds/[0-9a-f-]{36})"
)


class ProvenanceFaultError(ValueError):
    """Why an image has no valid provenance, in words that follow "its provenance "."""


@dataclass(frozen=True)
class Provenance:
    """Facts of an image that Google signed."""

    build: str
    """`projects/P/locations/L/builds/ID`: the build that pushed it."""


def verified_provenance(image: str, occurrences: Iterable[Any], public_key_of: PublicKeyOf) -> Provenance:
    """The first provenance of `image`, `NAME@sha256:DIGEST`, that a key of Google's verifies.

    `occurrences`: as Artifact Analysis lists them. Raises ProvenanceFaultError with the fault of each, or that there is
    none.
    """
    faults = []
    for occurrence in occurrences:
        try:
            return _verified(image, occurrence, public_key_of)
        except ProvenanceFaultError as fault:
            faults.append(str(fault))
    raise ProvenanceFaultError("; ".join(dict.fromkeys(faults)) or "is missing")


def _verified(image: str, occurrence: Any, public_key_of: PublicKeyOf) -> Provenance:
    try:
        envelope = occurrence["envelope"]
        payload = _decoded(envelope["payload"])
        if envelope["payloadType"] != _PAYLOAD_TYPE:
            raise ProvenanceFaultError("is not an in-toto statement")
        signatures = {_text(each["keyid"]): _decoded(each["sig"]) for each in envelope["signatures"]}
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ProvenanceFaultError):
            raise
        raise ProvenanceFaultError("has no signed envelope") from None
    keys = [name for name in signatures if _ATTESTOR.fullmatch(name)]
    if not keys:
        raise ProvenanceFaultError("is not signed by Google's hosted workers")
    signed = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)
    try:
        public_key_of(keys[0]).verify(signatures[keys[0]], signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise ProvenanceFaultError("does not fit its signature") from None
    # The occurrence's fields outside of the envelope are not signed, and not read.
    return _of_statement(image, payload)


def _of_statement(image: str, payload: bytes) -> Provenance:
    name, _, digest = image.partition("@")
    try:
        statement = json.loads(payload)
        predicate = statement["predicate"]
        run = predicate["runDetails"]
        kinds = (statement["_type"], statement["predicateType"], predicate["buildDefinition"]["buildType"])
        subjects = {(each["name"], each["digest"]["sha256"]) for each in statement["subject"]}
        builder, invocation = run["builder"]["id"], _text(run["metadata"]["invocationId"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ProvenanceFaultError("does not name image, builder and build") from None
    if kinds != (_STATEMENT, _PREDICATE, _BUILD_TYPE) or builder != _BUILDER:
        raise ProvenanceFaultError("is not of a build by Google's hosted workers")
    if (f"https://{name}", digest.removeprefix("sha256:")) not in subjects:
        raise ProvenanceFaultError("is of another image")
    build = _INVOCATION.fullmatch(invocation)
    if build is None:
        raise ProvenanceFaultError("names no build of Cloud Build")
    return Provenance(build[1])


def _decoded(text: object) -> bytes:
    """Base64, of either alphabet: Google writes the payload in one and the signature in the other."""
    try:
        return base64.b64decode(_text(text).translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except binascii.Error:
        raise ProvenanceFaultError("is not written in base64") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
