"""Signed mirrors: verified before a Model names them, and by anybody; each change is refused with the object's name."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.cloud import kms_v1

from localcloud.daemon import Connection
from tests.accounts import grant_on_bucket, make_account
from tests.identity import acting_as
from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.mirror.test_mirror_command import run
from tests.vertex_vllm.mirror.test_signatures import verify_as_a_stranger, write_key
from tests.vertex_vllm.mirror.test_wholeness import WEIGHTS, Place, other
from vertex_vllm.errors import InputError, MirrorError
from vertex_vllm.mirror import Manifest, Progress, mirror_weights
from vertex_vllm.mirror.own_objects import BESIDE_THE_WEIGHTS, BILL_OF_MATERIALS_NAME, MANIFEST_NAME, SIGNATURE_NAME
from vertex_vllm.mirror.signed_mirror import require_signed
from vertex_vllm.mirror.signing_keys import FileKey, SigningKey, signing_key
from vertex_vllm.mirror.verification import VerifiedMirror, verify_mirror

OWNER = "serviceAccount:owner@localcloud.example"


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return write_key(tmp_path)


@pytest.fixture
def place(cloud: Any, project: str, local: LocalCloud, safetensors: Callable[..., bytes]) -> Place:
    files = {
        "README.md": b"---\nlicense: other\nlicense_name: some-terms\nlicense_link: LICENSE\n---\n",
        "LICENSE": b"Terms\n",
        "config.json": b'{"model_type": "llama"}',
        WEIGHTS: safetensors(weight=64),
    }
    return Place(project, local, files)


def mirror(place: Place, key: SigningKey | None, commit: str = "", uri: str = "") -> Manifest:
    return mirror_weights(place.model_id, commit or place.commit, None, uri or place.uri, place.project, signing=key)


def test_a_downloaded_copy_is_verified_by_openssf_s_command_line(place: Place, key: SigningKey, tmp_path: Path) -> None:
    manifest = mirror(place, key)
    prefix = place.uri.removeprefix(f"gs://{place.bucket.name}/")
    copy = tmp_path / "copy"
    for blob in place.bucket.list_blobs(prefix=f"{prefix}/"):
        target = copy / blob.name.removeprefix(f"{prefix}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        blob.download_to_filename(str(target))
    assert {path.name for path in copy.iterdir()} == {"LICENSE", "config.json", WEIGHTS, *BESIDE_THE_WEIGHTS}
    done = verify_as_a_stranger(copy, tmp_path / "key.pub")
    assert (done.returncode, done.stdout) == (0, "Verification succeeded\n"), done.stderr
    (copy / "modeling_evil.py").write_text("import os")
    assert "Extra files found" in verify_as_a_stranger(copy, tmp_path / "key.pub").stderr
    statement = require_signed(manifest, place.project, key)
    assert (statement.repository, statement.commit, statement.uri) == (place.model_id, place.commit, place.uri)
    assert statement.mirrored_by == OWNER


def test_a_mirror_is_verified_by_its_own_command(
    place: Place, key: SigningKey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place.model_id, "--to", place.uri, "--project", place.project, "--sign-with", key.name) == 0
    capsys.readouterr()
    public = str(tmp_path / "key.pub")
    verify = ("verify", place.uri, "--project", place.project)
    assert run(*verify, "--key", public, "--content", "--json") == 0
    size = sum(len(data) for path, data in place.files.items() if path != "README.md")
    assert json.loads(capsys.readouterr().out) == {
        "uri": place.uri,
        "repository": place.model_id,
        "commit": place.commit,
        "files": 3,
        "bytes": size,
        "key": public,
        "mirrored_by": OWNER,
    }
    assert run(*verify) == 0
    assert "the signature was not verified: name the key with --key" in capsys.readouterr().err
    place.plant(WEIGHTS, other(place.files[WEIGHTS]))
    assert run(*verify, "--key", public) == 1
    assert f"{WEIGHTS} has other content" in capsys.readouterr().err
    assert run(*verify, "--key", str(tmp_path / "none.pem")) == 2
    assert run("verify", "s3://elsewhere", "--project", place.project) == 2
    capsys.readouterr()
    assert run("verify", "gs://no-such-bucket-anywhere/models/x", "--project", place.project) == 2
    assert "The specified bucket does not exist" in capsys.readouterr().err


def unsign(place: Place) -> str:
    place.blob(SIGNATURE_NAME).delete()
    return "the mirror is not signed: there is no such object"


def edit_manifest(place: Place) -> str:
    text = place.blob(MANIFEST_NAME).download_as_text()
    place.blob(MANIFEST_NAME).upload_from_string(text.replace('"size"', '"size" '))
    return f"{MANIFEST_NAME}: was changed after it was signed"


def remove_manifest(place: Place) -> str:
    place.blob(MANIFEST_NAME).delete()
    return f"{MANIFEST_NAME}: is missing"


def edit_bill(place: Place) -> str:
    place.blob(BILL_OF_MATERIALS_NAME).upload_from_string("{}")
    return f"{BILL_OF_MATERIALS_NAME}: was changed after it was signed"


def edit_signature(place: Place) -> str:
    fields = json.loads(place.blob(SIGNATURE_NAME).download_as_text())
    payload = fields["dsseEnvelope"]["payload"]
    fields["dsseEnvelope"]["payload"] = payload[:-8] + "AAAA" + payload[-4:]
    place.blob(SIGNATURE_NAME).upload_from_string(json.dumps(fields))
    return "the signature does not fit its content"


def swap_object(place: Place) -> str:
    place.plant(WEIGHTS, other(place.files[WEIGHTS]))
    return f"{WEIGHTS} has other content"


def add_object(place: Place) -> str:
    place.plant("modeling_evil.py", b"import os")
    return "modeling_evil.py is not in the manifest"


def remove_object(place: Place) -> str:
    place.blob(WEIGHTS).delete()
    return f"{WEIGHTS} is missing"


@pytest.mark.parametrize(
    "change",
    [unsign, edit_manifest, remove_manifest, edit_bill, edit_signature, swap_object, add_object, remove_object],
)
def test_each_change_is_refused_by_its_name_and_mended_by_the_next_mirror(
    place: Place, key: SigningKey, change: Callable[[Place], str]
) -> None:
    mirror(place, key)
    words = change(place)
    with pytest.raises(MirrorError) as refused:
        verify_mirror(place.uri, place.project, key)
    assert words in str(refused.value)
    manifest = mirror(place, key)
    if change is add_object:
        place.blob("modeling_evil.py").delete()
    verify_mirror(place.uri, place.project, key, content=True)
    require_signed(manifest, place.project, key)


def test_a_mirror_that_another_key_signed_is_not_believed(place: Place, key: SigningKey, tmp_path: Path) -> None:
    """An attacker's own mirror, whole and signed by the attacker, with an object whose manifest fits it."""
    theirs = write_key(tmp_path, "theirs")
    mirror(place, theirs)
    with pytest.raises(MirrorError, match="the signature is by another key"):
        verify_mirror(place.uri, place.project, key)
    plant_whole(place)
    manifest = mirror(place, key)
    assert place.blob(WEIGHTS).download_as_bytes() == place.files[WEIGHTS]
    assert (
        require_signed(manifest, place.project, key).digests[WEIGHTS]
        == {file.path: file.sha256 for file in manifest.files}[WEIGHTS]
    )


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed by another key"])
def test_nothing_is_copied_from_another_commit_s_mirror_without_its_signature(
    place: Place, key: SigningKey, tmp_path: Path, signed: bool
) -> None:
    """The manifest of the other mirror says that an object with other bytes is the listed file."""
    own, place.uri = place.uri, f"{place.uri.rpartition('/')[0]}/{'d' * 40}"
    mirror(place, write_key(tmp_path, "theirs") if signed else None)
    place.plant(WEIGHTS, other(place.files[WEIGHTS]))
    stored = place.bucket.get_blob(place.blob(WEIGHTS).name)
    written = json.loads(place.blob(MANIFEST_NAME).download_as_bytes())
    for file in written["files"]:
        if file["path"] == WEIGHTS:
            file.update(crc32c=stored.crc32c, generation=int(stored.generation))
    place.blob(MANIFEST_NAME).upload_from_string(json.dumps(written))
    place.uri = own
    manifest = mirror(place, key)
    assert place.blob(WEIGHTS).download_as_bytes() == place.files[WEIGHTS]
    require_signed(manifest, place.project, key)


def test_a_signed_mirror_of_another_commit_is_copied_from(place: Place, key: SigningKey) -> None:
    sibling = f"{place.uri.rpartition('/')[0]}/{'d' * 40}"
    mirror(place, key, uri=sibling)
    seen: list[Progress] = []
    mirror_weights(place.model_id, place.commit, None, place.uri, place.project, seen.append, signing=key)
    assert seen[-1].bytes_present == len(place.files[WEIGHTS])


def plant_whole(place: Place) -> None:
    """Another object together with a manifest that lists it: without a signature, the next mirror trusts both."""
    import hashlib

    data = other(place.files[WEIGHTS])
    digest = hashlib.sha256(data).hexdigest()
    place.plant(WEIGHTS, data, sha256=digest)
    stored = place.bucket.get_blob(place.blob(WEIGHTS).name)
    written = json.loads(place.blob(MANIFEST_NAME).download_as_bytes())
    for file in written["files"]:
        if file["path"] == WEIGHTS:
            file.update(sha256=digest, crc32c=stored.crc32c, generation=int(stored.generation))
    place.blob(MANIFEST_NAME).upload_from_string(json.dumps(written))


def test_a_signed_mirror_that_was_moved_is_refused(place: Place, key: SigningKey) -> None:
    mirror(place, key)
    moved = f"gs://{place.bucket.name}/models/other/model/{place.commit}"
    prefix = place.uri.removeprefix(f"gs://{place.bucket.name}/")
    for blob in list(place.bucket.list_blobs(prefix=f"{prefix}/")):
        name = blob.name.replace(prefix, moved.removeprefix(f"gs://{place.bucket.name}/"))
        place.bucket.copy_blob(blob, place.bucket, name)
    with pytest.raises(MirrorError, match=f"the signature is of the mirror in {place.uri}"):
        verify_mirror(moved, place.project, key)


def test_a_signature_of_other_files_than_the_run_mirrored_is_refused(place: Place, key: SigningKey) -> None:
    manifest = mirror(place, key)
    other_run = Manifest(manifest.model_id, manifest.commit, manifest.uri, manifest.files[:-1])
    with pytest.raises(MirrorError, match="of other files than this run mirrored"):
        require_signed(other_run, place.project, key)


def test_a_signed_mirror_moves_nothing_again_and_an_unsigned_one_is_signed(place: Place, key: SigningKey) -> None:
    unsigned = mirror(place, None)
    assert not place.blob(SIGNATURE_NAME).exists()
    signed = mirror(place, key)
    assert signed == unsigned
    generation = place.bucket.get_blob(place.blob(SIGNATURE_NAME).name).generation
    assert mirror(place, key) == signed
    assert place.bucket.get_blob(place.blob(SIGNATURE_NAME).name).generation == generation


def test_a_signature_goes_with_the_manifest_that_it_was_of(place: Place, key: SigningKey) -> None:
    mirror(place, key)
    place.blob(WEIGHTS).delete()
    mirror(place, None)
    assert not place.blob(SIGNATURE_NAME).exists()


def kms_key(project: str) -> str:
    client = kms_v1.KeyManagementServiceClient()
    ring = client.create_key_ring(
        parent=f"projects/{project}/locations/us-central1", key_ring_id=f"r-{uuid.uuid4().hex[:8]}", key_ring={}
    )
    template = {"algorithm": kms_v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm.EC_SIGN_P256_SHA256}
    asked = {"purpose": kms_v1.CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN, "version_template": template}
    key = client.create_crypto_key(parent=ring.name, crypto_key_id="manifests", crypto_key=asked)
    return f"{key.name}/cryptoKeyVersions/1"


def test_a_key_in_cloud_kms_signs_and_its_public_half_verifies(place: Place, cloud: Connection, tmp_path: Path) -> None:
    name = kms_key(place.project)
    mirror(place, signing_key(name))
    assert verify_mirror(place.uri, place.project, signing_key(name), content=True) == VerifiedMirror(
        uri=place.uri,
        repository=place.model_id,
        commit=place.commit,
        files=3,
        bytes=sum(len(data) for path, data in place.files.items() if path != "README.md"),
        key=name,
        mirrored_by=OWNER,
    )
    pem = kms_v1.KeyManagementServiceClient().get_public_key(name=name).pem
    (tmp_path / "kms.pub").write_text(pem)
    verify_mirror(place.uri, place.project, FileKey(tmp_path / "kms.pub"))


def test_a_key_that_is_not_granted_or_not_there_is_told_with_the_command(place: Place, cloud: Connection) -> None:
    name = kms_key(place.project)
    robot = make_account(place.project, "some-robot")
    grant_on_bucket(place.bucket.name, "roles/storage.objectUser", robot)
    with acting_as(cloud, robot), pytest.raises(InputError) as refused:
        mirror(place, signing_key(name))
    assert "cloudkms.cryptoKeyVersions.viewPublicKey" in str(refused.value)
    assert "gcloud kms keys add-iam-policy-binding manifests" in refused.value.fix
    assert refused.value.fix.endswith(f"--member=serviceAccount:{robot} --role=roles/cloudkms.signerVerifier")
    with pytest.raises(InputError, match="gcloud kms keys create manifests"):
        mirror(place, signing_key(f"{name.removesuffix('1')}9"))
    assert not place.blob(MANIFEST_NAME).exists()
