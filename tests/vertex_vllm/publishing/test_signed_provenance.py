"""Provenance counts when Google's key signed that a build of Cloud Build pushed exactly this image."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from vertex_vllm.publishing.signed_provenance import Provenance, ProvenanceFaultError, verified_provenance

REAL = json.loads((Path(__file__).resolve().parents[2] / "data" / "cloud_build_provenance.json").read_text())
KEY_NAME = REAL["envelope"]["signatures"][0]["keyid"]
KEY = ec.generate_private_key(ec.SECP256R1())
DIGEST = "5e" * 32
NAME = "us-central1-docker.pkg.dev/team/vertex-vllm/python-steps"
IMAGE = f"{NAME}@sha256:{DIGEST}"
BUILD = "projects/team/locations/us-central1/builds/9c11d255-0469-4a6a-b7d0-d510c6697c54"


def statement() -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f"https://{NAME}:tag", "digest": {"sha256": DIGEST}}, subject()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"buildType": "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1"},
            "runDetails": {
                "builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker"},
                "metadata": {"invocationId": f"https://cloudbuild.googleapis.com/v1/{BUILD}"},
            },
        },
    }


def subject(name: str = NAME, digest: str = DIGEST) -> dict[str, Any]:
    return {"name": f"https://{name}", "digest": {"sha256": digest}}


def signed(payload: bytes, key: ec.EllipticCurvePrivateKey = KEY, keyid: str = KEY_NAME) -> dict[str, Any]:
    kind = b"application/vnd.in-toto+json"
    data = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signature = base64.urlsafe_b64encode(key.sign(data, ec.ECDSA(hashes.SHA256()))).decode()
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind.decode(),
        "signatures": [{"keyid": keyid, "sig": signature}],
    }
    return {"kind": "BUILD", "envelope": envelope}


def public_key(name: str) -> ec.EllipticCurvePublicKey:
    assert name == KEY_NAME
    return KEY.public_key()


def test_provenance_of_a_real_build_is_verified_with_google_s_real_key() -> None:
    key = load_pem_public_key(REAL["public_key"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    found = verified_provenance(REAL["image"], [{"envelope": REAL["envelope"]}], lambda name: key)
    assert found == Provenance(REAL["build"])


def test_the_first_that_is_verified_counts() -> None:
    good = signed(json.dumps(statement()).encode())
    assert verified_provenance(IMAGE, [{}, {"envelope": "x"}, good], public_key) == Provenance(BUILD)


def replaced(*path: str | int, by: Any) -> Callable[[dict[str, Any]], None]:
    def change(fields: Any) -> None:
        for part in path[:-1]:
            fields = fields[part]
        fields[path[-1]] = by

    return change


_INVOCATION = ("predicate", "runDetails", "metadata", "invocationId")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (replaced("subject", by=[subject(digest="a" * 64)]), "is of another image"),
        (replaced("subject", by=[subject(name=NAME.replace("team", "evil"))]), "is of another image"),
        (replaced("subject", by=[{"name": f"https://{NAME}"}]), "does not name image"),
        (replaced("subject", by=[]), "is of another image"),
        (replaced("_type", by="https://in-toto.io/Statement/v0.1"), "is not of a build"),
        (replaced("predicateType", by="https://slsa.dev/provenance/v0.2"), "is not of a build"),
        (replaced("predicate", "buildDefinition", "buildType", by="https://evil.example/v1"), "is not of a build"),
        (replaced("predicate", "runDetails", "builder", "id", by="https://evil.example"), "is not of a build"),
        (replaced("predicate", "runDetails", by=[]), "does not name image"),
        (replaced(*_INVOCATION, by=f"https://evil.example/v1/{BUILD}"), "names no build"),
        (replaced(*_INVOCATION, by=f"https://cloudbuild.googleapis.com/v1/{BUILD}/../../x"), "names no build"),
        (replaced(*_INVOCATION, by=f"https://cloudbuild.googleapis.com/v1/{BUILD}\n"), "names no build"),
        (replaced(*_INVOCATION, by=7), "does not name image"),
    ],
)
def test_a_signed_statement_of_anything_else_does_not_count(change: Callable[[Any], None], fault: str) -> None:
    fields = statement()
    change(fields)
    with pytest.raises(ProvenanceFaultError, match=fault):
        verified_provenance(IMAGE, [signed(json.dumps(fields).encode())], public_key)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_payload_that_is_no_statement_does_not_count(payload: bytes) -> None:
    with pytest.raises(ProvenanceFaultError, match="does not name image"):
        verified_provenance(IMAGE, [signed(payload)], public_key)


PAYLOAD = json.dumps(statement()).encode()
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("occurrence", "fault"),
    [
        (signed(PAYLOAD, OTHER_KEY), "does not fit its signature"),
        (signed(PAYLOAD, keyid=KEY_NAME.replace("verified-builder", "evil-project")), "is not signed by Google's"),
        (signed(PAYLOAD, keyid=f"{KEY_NAME}/../2"), "is not signed by Google's"),
        (signed(PAYLOAD, keyid=f"{KEY_NAME}\n"), "is not signed by Google's"),
        (signed(PAYLOAD, keyid=KEY_NAME.replace("google-hosted-worker", "other")), "is not signed by Google's"),
        ({"build": {"inTotoSlsaProvenanceV1": statement()}}, "has no signed envelope"),
        ({"envelope": {**signed(PAYLOAD)["envelope"], "signatures": []}}, "is not signed by Google's"),
        ({"envelope": {**signed(PAYLOAD)["envelope"], "payloadType": "text/plain"}}, "is not an in-toto statement"),
        ({"envelope": {**signed(PAYLOAD)["envelope"], "payload": "?"}}, "is not written in base64"),
        ({"envelope": {**signed(PAYLOAD)["envelope"], "payload": "e30="}}, "does not fit its signature"),
        ({"envelope": None}, "has no signed envelope"),
        ("text", "has no signed envelope"),
    ],
)
def test_what_google_did_not_sign_does_not_count(occurrence: Any, fault: str) -> None:
    with pytest.raises(ProvenanceFaultError, match=fault):
        verified_provenance(IMAGE, [occurrence], public_key)


def test_no_provenance_is_told_as_missing() -> None:
    with pytest.raises(ProvenanceFaultError, match="is missing"):
        verified_provenance(IMAGE, [], public_key)
