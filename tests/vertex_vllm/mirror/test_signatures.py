"""A signed statement: its form, its verification, and each fault in it. No cloud."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vertex_vllm.errors import InputError
from vertex_vllm.mirror.own_objects import SIGNATURE_NAME
from vertex_vllm.mirror.signatures import SignatureFaultError, Statement, sign, verified
from vertex_vllm.mirror.signing_keys import FileKey, SigningKey, signing_key

FILES = {"config.json": b"{}", "nested/chat.jinja": b"hello"}
STATEMENT = Statement(
    repository="org/model",
    commit="c" * 40,
    uri="gs://bucket/models/org/model/" + "c" * 40,
    mirrored_by="serviceAccount:vertex-vllm-pipeline@p.iam.gserviceaccount.com",
    digests={path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()},
)


def write_key(folder: Path, name: str = "key", curve: ec.EllipticCurve | None = None) -> SigningKey:
    """A new private key in `NAME.pem`, and its public half in `NAME.pub`."""
    private = ec.generate_private_key(curve or ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / f"{name}.pub").write_bytes(public)
    return signing_key(str(folder / f"{name}.pem"))


def verify_as_a_stranger(folder: Path, public: Path) -> subprocess.CompletedProcess[str]:
    """OpenSSF's own command line, on a downloaded copy."""
    command = ["verify", "key", str(folder), "--signature", str(folder / SIGNATURE_NAME), "--public_key", str(public)]
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *command], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_statement_is_read_again_with_its_public_key(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = write_key(tmp_path, curve=curve)
    bundle = sign(STATEMENT, key)
    assert verified(bundle.encode(), key.public_key) == STATEMENT
    assert verified(bundle.encode(), FileKey(tmp_path / "key.pub").public_key) == STATEMENT


def test_the_bundle_is_of_the_published_formats(tmp_path: Path) -> None:
    key = write_key(tmp_path)
    bundle = json.loads(sign(STATEMENT, key))
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"]["publicKey"] == {
        "hint": hashlib.sha256((tmp_path / "key.pub").read_bytes()).hexdigest()
    }
    envelope = bundle["dsseEnvelope"]
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    digests = STATEMENT.digests
    root = hashlib.sha256(b"".join(bytes.fromhex(digests[path]) for path in sorted(digests))).hexdigest()
    assert json.loads(base64.b64decode(envelope["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "org/model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE_NAME],
            },
            "resources": [{"name": path, "algorithm": "sha256", "digest": digests[path]} for path in sorted(digests)],
            "mirror": {
                "repository": "org/model",
                "commit": STATEMENT.commit,
                "uri": STATEMENT.uri,
                "mirroredBy": STATEMENT.mirrored_by,
            },
        },
    }


def test_openssf_s_command_line_verifies_it(tmp_path: Path) -> None:
    key, copy = write_key(tmp_path), tmp_path / "copy"
    for path, data in FILES.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(data)
    (copy / SIGNATURE_NAME).write_text(sign(STATEMENT, key))
    done = verify_as_a_stranger(copy, tmp_path / "key.pub")
    assert (done.returncode, done.stdout) == (0, "Verification succeeded\n"), done.stderr
    (copy / "config.json").write_bytes(b"[]")
    assert "Hash mismatch for 'config.json'" in verify_as_a_stranger(copy, tmp_path / "key.pub").stderr


def changed(bundle: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    fields: dict[str, Any] = json.loads(bundle)
    change(fields)
    return json.dumps(fields).encode()


def another_payload(bundle: dict[str, Any]) -> None:
    other = replace(STATEMENT, digests={"config.json": "0" * 64}).to_json()
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(other.encode()).decode()


def another_media_type(bundle: dict[str, Any]) -> None:
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"


def two_signatures(bundle: dict[str, Any]) -> None:
    bundle["dsseEnvelope"]["signatures"] *= 2


def no_envelope(bundle: dict[str, Any]) -> None:
    del bundle["dsseEnvelope"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (another_payload, "does not fit its content"),
        (another_media_type, "not in the format"),
        (two_signatures, "cannot be read"),
        (no_envelope, "cannot be read|not in the format"),
    ],
)
def test_a_bundle_that_was_changed_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    key = write_key(tmp_path)
    with pytest.raises(SignatureFaultError, match=words):
        verified(changed(sign(STATEMENT, key), change), key.public_key)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"mediaType": 1}'])
def test_a_bundle_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SignatureFaultError, match="cannot be read"):
        verified(data, write_key(tmp_path).public_key)


def test_another_key_s_signature_is_called_that(tmp_path: Path) -> None:
    bundle = sign(STATEMENT, write_key(tmp_path, "theirs"))
    with pytest.raises(SignatureFaultError, match="is by another key"):
        verified(bundle.encode(), write_key(tmp_path, "ours").public_key)

    def lie(fields: dict[str, Any]) -> None:
        hint = hashlib.sha256((tmp_path / "ours.pub").read_bytes()).hexdigest()
        fields["verificationMaterial"]["publicKey"]["hint"] = hint

    with pytest.raises(SignatureFaultError, match="does not fit its content"):
        verified(changed(bundle, lie), FileKey(tmp_path / "ours.pub").public_key)


def drop_own_field(fields: dict[str, Any]) -> None:
    del fields["predicate"]["mirror"]


def another_predicate(fields: dict[str, Any]) -> None:
    fields["predicateType"] = "https://slsa.dev/provenance/v1"


def another_digest(fields: dict[str, Any]) -> None:
    fields["predicate"]["resources"][0]["algorithm"] = "blake2b"


def a_file_twice(fields: dict[str, Any]) -> None:
    fields["predicate"]["resources"] *= 2


@pytest.mark.parametrize("change", [drop_own_field, another_predicate, another_digest, a_file_twice])
def test_a_statement_about_anything_else_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    fields = json.loads(STATEMENT.to_json())
    change(fields)
    with pytest.raises(SignatureFaultError):
        Statement.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(InputError, match="holds no key on the curve"):
        sign(STATEMENT, signing_key(str(tmp_path / "key.pem")))


def test_a_missing_file_a_public_key_and_a_malformed_name_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        sign(STATEMENT, signing_key(str(tmp_path / "none.pem")))
    write_key(tmp_path)
    with pytest.raises(InputError, match="holds a public key, which cannot sign"):
        sign(STATEMENT, FileKey(tmp_path / "key.pub"))
    with pytest.raises(InputError, match="is not the name of a key version of Cloud KMS"):
        signing_key("projects/p/locations/l/keyRings/r/cryptoKeys/k")
