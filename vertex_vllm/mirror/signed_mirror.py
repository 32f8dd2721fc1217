"""A mirror in its bucket and the signature beside it: written with the manifest, verified before a Model names it."""

import hashlib
from contextlib import closing
from dataclasses import dataclass

from vertex_vllm.errors import MirrorError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.iam import own_account
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.manifest import Manifest
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME, MANIFEST_NAME, SIGNATURE_NAME
from vertex_vllm.mirror.signatures import SignatureFaultError, Statement, sign, verified
from vertex_vllm.mirror.signing_keys import SigningKey

# Objects that are signed beside the model's files.
_OWN = (MANIFEST_NAME, BILL_OF_MATERIALS_NAME)
_AGAIN = "Mirror it again with that key: what cannot be verified is hashed again."


@dataclass(frozen=True)
class Signed:
    """A mirror whose signature was verified."""

    statement: Statement
    manifest: Manifest


def sign_mirror(manifest: Manifest, bill: str, bucket: MirrorBucket, key: SigningKey) -> None:
    """Writes the signature of a manifest that is about to be written. Raises what the key and Cloud Storage raise.

    The digests are those that the mirror verified: no file is read.
    """
    digests = {file.path: file.sha256 for file in manifest.files}
    texts = dict(zip(_OWN, (manifest.to_json(), bill), strict=True))
    digests |= {name: _sha256(text.encode()) for name, text in texts.items()}
    account = own_account() or "unknown"
    statement = Statement(manifest.model_id, manifest.commit, manifest.uri, account, digests)
    bucket.write_own(SIGNATURE_NAME, sign(statement, key))


def require_signed(manifest: Manifest, project: str, key: SigningKey) -> Statement:
    """Verifies that the mirror is signed by `key`, and that the signature is of the files in `manifest`.

    `manifest`: as the run's own mirror returned it. Raises MirrorError that names the one that fails, InputError
    for a key that cannot be used, ServiceError where Google fails.
    """
    with google_errors("Cloud Storage", manifest.uri), closing(MirrorBucket(manifest.uri, project)) as bucket:
        found = read_signed(bucket, key)
    if _files(found.manifest) != _files(manifest):
        raise MirrorError(
            "the signature is of other files than this run mirrored",
            where=f"{manifest.uri}/{SIGNATURE_NAME}",
            fix="Find out who mirrored there meanwhile, and run the deployment again.",
        )
    return found.statement


def read_signed(bucket: MirrorBucket, key: SigningKey) -> Signed:
    """The manifest in the bucket, with the signed statement about it. Compares no objects of the model.

    Raises MirrorError where the signature is missing, by another key, or of another manifest or place.
    """
    where = f"{bucket.uri}/{SIGNATURE_NAME}"
    public = key.public_key
    data = bucket.read_own(SIGNATURE_NAME)
    if data is None:
        raise MirrorError("the mirror is not signed: there is no such object", where=where, fix=_AGAIN)
    try:
        statement = verified(data, public)
    except SignatureFaultError as error:
        raise MirrorError(f"the signature {error}", where=where, fix=f"The key is {key.name}. {_AGAIN}") from None
    if statement.uri != bucket.uri:
        raise MirrorError(f"the signature is of the mirror in {statement.uri}", where=where, fix=_AGAIN)
    held = {name: bucket.read_own(name) for name in _OWN}
    for name, text in held.items():
        if text is None or _sha256(text) != statement.digests.get(name):
            fault = "is missing" if text is None else "was changed after it was signed"
            raise MirrorError(fault, where=f"{bucket.uri}/{name}", fix=_AGAIN)
    manifest = _manifest(held[MANIFEST_NAME] or b"", bucket.uri)
    signed_files = {path: digest for path, digest in statement.digests.items() if path not in _OWN}
    of = (statement.repository, statement.commit, statement.uri)
    if (manifest.model_id, manifest.commit, manifest.uri) != of or _files(manifest) != signed_files:
        raise MirrorError("the signature and the manifest list different files", where=where, fix=_AGAIN)
    return Signed(statement, manifest)


def _manifest(text: bytes, uri: str) -> Manifest:
    try:
        return Manifest.from_json(text.decode())
    except ValueError:
        raise MirrorError("is not a manifest", where=f"{uri}/{MANIFEST_NAME}", fix=_AGAIN) from None


def _files(manifest: Manifest) -> dict[str, str]:
    return {file.path: file.sha256 for file in manifest.files}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
