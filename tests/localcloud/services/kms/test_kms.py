"""Cloud KMS as its own client sees it: keys that sign, whose use must be granted."""

import hashlib
from collections.abc import Iterator

import google_crc32c
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.api_core import exceptions
from google.cloud import kms_v1
from google.cloud.kms_v1.types import CryptoKey, CryptoKeyVersion
from google.oauth2.credentials import Credentials

from localcloud.daemon import Connection
from tests.accounts import make_account, owner_session

_ALGORITHM = CryptoKeyVersion.CryptoKeyVersionAlgorithm
_STATE = CryptoKeyVersion.CryptoKeyVersionState
Client = kms_v1.KeyManagementServiceClient


@pytest.fixture(params=["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest, cloud: Connection) -> Iterator[Client]:
    with Client(transport=request.param) as made:
        yield made


def signing_key(client: Client, project: str, algorithm: int = _ALGORITHM.EC_SIGN_P256_SHA256) -> str:
    """A key in a ring of its own; returns the key's name."""
    parent = f"projects/{project}/locations/us-central1"
    ring = client.create_key_ring(parent=parent, key_ring_id="models", key_ring={})
    template = {"algorithm": algorithm}
    purpose = CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN
    key = client.create_crypto_key(
        parent=ring.name, crypto_key_id="manifests", crypto_key={"purpose": purpose, "version_template": template}
    )
    return key.name


@pytest.fixture
def version(client: Client, project: str) -> str:
    return f"{signing_key(client, project)}/cryptoKeyVersions/1"


def sign(client: Client, version: str, data: bytes) -> bytes:
    digest = hashlib.sha256(data).digest()
    request = {"name": version, "digest": {"sha256": digest}, "digest_crc32c": google_crc32c.value(digest)}
    answer = client.asymmetric_sign(request=request)
    assert answer.verified_digest_crc32c
    assert answer.signature_crc32c == google_crc32c.value(answer.signature)
    return answer.signature


def test_a_signature_is_verified_with_the_public_key(client: Client, version: str, project: str) -> None:
    assert version == (
        f"projects/{project}/locations/us-central1/keyRings/models/cryptoKeys/manifests/cryptoKeyVersions/1"
    )
    found = client.get_public_key(name=version)
    assert (found.name, found.algorithm) == (version, _ALGORITHM.EC_SIGN_P256_SHA256)
    assert found.pem_crc32c == google_crc32c.value(found.pem.encode())
    public = serialization.load_pem_public_key(found.pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = sign(client, version, b"a manifest")
    public.verify(signature, b"a manifest", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"another", ec.ECDSA(hashes.SHA256()))


def test_the_private_key_is_in_the_store_of_secrets_alone(client: Client, version: str, cloud: Connection) -> None:
    files = [path for path in cloud.state_dir.rglob("*.db") if b"BEGIN PRIVATE KEY" in path.read_bytes()]
    assert [path.name for path in files] == ["secrets.db"]


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        ({"sha384": b"0" * 48}, "EC_SIGN_P256_SHA256 signs a sha256 digest; got sha384"),
        ({"sha256": b"short"}, "The digest has 5 bytes, not 32"),
        ({}, "EC_SIGN_P256_SHA256 signs a sha256 digest; got none"),
    ],
)
def test_a_digest_of_another_kind_is_refused(
    client: Client, version: str, digest: dict[str, bytes], words: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=words):
        client.asymmetric_sign(name=version, digest=digest)


def test_a_digest_that_arrived_damaged_is_refused(client: Client, version: str) -> None:
    request = {"name": version, "digest": {"sha256": b"0" * 32}, "digest_crc32c": 1}
    with pytest.raises(exceptions.BadRequest, match="digest_crc32c did not match"):
        client.asymmetric_sign(request=request)


def test_a_version_that_is_not_enabled_does_not_sign(client: Client, version: str) -> None:
    mask = {"paths": ["state"]}
    client.update_crypto_key_version(crypto_key_version={"name": version, "state": _STATE.DISABLED}, update_mask=mask)
    with pytest.raises(exceptions.BadRequest, match="is not enabled, current state is: DISABLED"):
        client.asymmetric_sign(name=version, digest={"sha256": b"0" * 32})
    with pytest.raises(exceptions.BadRequest):
        client.get_public_key(name=version)
    client.update_crypto_key_version(crypto_key_version={"name": version, "state": _STATE.ENABLED}, update_mask=mask)
    sign(client, version, b"again")
    assert client.destroy_crypto_key_version(name=version).state == _STATE.DESTROY_SCHEDULED
    with pytest.raises(exceptions.BadRequest, match="DESTROY_SCHEDULED"):
        client.asymmetric_sign(name=version, digest={"sha256": b"0" * 32})


def test_versions_are_counted_and_have_keys_of_their_own(client: Client, version: str) -> None:
    key = version.rpartition("/cryptoKeyVersions/")[0]
    second = client.create_crypto_key_version(parent=key, crypto_key_version={})
    assert second.name == f"{key}/cryptoKeyVersions/2"
    assert [each.name for each in client.list_crypto_key_versions(parent=key)] == [version, second.name]
    assert client.get_crypto_key_version(name=version).state == _STATE.ENABLED
    assert client.get_public_key(name=version).pem != client.get_public_key(name=second.name).pem


def test_the_curve_with_384_bits_signs_its_own_digest(client: Client, project: str) -> None:
    version = f"{signing_key(client, project, _ALGORITHM.EC_SIGN_P384_SHA384)}/cryptoKeyVersions/1"
    digest = hashlib.sha384(b"data").digest()
    signature = client.asymmetric_sign(name=version, digest={"sha384": digest}).signature
    public = serialization.load_pem_public_key(client.get_public_key(name=version).pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, b"data", ec.ECDSA(hashes.SHA384()))


def test_rings_and_keys_are_found_and_not_made_twice(client: Client, version: str, project: str) -> None:
    key = version.rpartition("/cryptoKeyVersions/")[0]
    ring = key.rpartition("/cryptoKeys/")[0]
    parent = ring.rpartition("/keyRings/")[0]
    assert client.get_key_ring(name=ring).name == ring
    assert [each.name for each in client.list_key_rings(parent=parent)] == [ring]
    assert [each.name for each in client.list_crypto_keys(parent=ring)] == [key]
    assert client.get_crypto_key(name=key).purpose == CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN
    with pytest.raises(exceptions.Conflict, match=f"KeyRing {ring} already exists"):
        client.create_key_ring(parent=parent, key_ring_id="models", key_ring={})
    with pytest.raises(exceptions.NotFound, match=r"CryptoKeyVersion .*/9 not found"):
        client.get_public_key(name=f"{key}/cryptoKeyVersions/9")


def test_other_purposes_and_algorithms_are_refused_by_name(client: Client, version: str) -> None:
    ring = version.rpartition("/cryptoKeys/")[0]
    encrypting = {"purpose": CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT}
    with pytest.raises(exceptions.MethodNotImplemented, match="ASYMMETRIC_SIGN, not ENCRYPT_DECRYPT"):
        client.create_crypto_key(parent=ring, crypto_key_id="other", crypto_key=encrypting)
    rsa = {
        "purpose": CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN,
        "version_template": {"algorithm": _ALGORITHM.RSA_SIGN_PSS_2048_SHA256},
    }
    with pytest.raises(exceptions.MethodNotImplemented, match="not with RSA_SIGN_PSS_2048_SHA256"):
        client.create_crypto_key(parent=ring, crypto_key_id="other", crypto_key=rsa)


def test_each_use_of_a_key_must_be_granted_on_it(client: Client, version: str, project: str, cloud: Connection) -> None:
    robot = make_account(project, "some-robot")
    as_robot = Client(credentials=Credentials(cloud.access_token(robot)))
    key = version.rpartition("/cryptoKeyVersions/")[0]
    with pytest.raises(exceptions.Forbidden) as refused:
        as_robot.asymmetric_sign(name=version, digest={"sha256": b"0" * 32})
    assert refused.value.metadata["permission"] == "cloudkms.cryptoKeyVersions.useToSign"
    with pytest.raises(exceptions.Forbidden, match=r"cloudkms\.cryptoKeys\.getIamPolicy"):
        as_robot.get_iam_policy(request={"resource": key})

    url = f"https://cloudkms.googleapis.com/v1/{key}"
    policy = owner_session().get(f"{url}:getIamPolicy?options.requestedPolicyVersion=3").json()
    policy["bindings"] = [{"role": "roles/cloudkms.publicKeyViewer", "members": [f"serviceAccount:{robot}"]}]
    owner_session().post(f"{url}:setIamPolicy", json={"policy": policy}).raise_for_status()
    assert as_robot.get_public_key(name=version).pem
    with pytest.raises(exceptions.Forbidden, match="useToSign"):
        as_robot.asymmetric_sign(name=version, digest={"sha256": b"0" * 32})

    current = client.get_iam_policy(request={"resource": key})
    current.bindings.add(role="roles/cloudkms.signer", members=[f"serviceAccount:{robot}"])
    client.set_iam_policy(request={"resource": key, "policy": current})
    assert sign(as_robot, version, b"granted")
    asked = ["cloudkms.cryptoKeyVersions.useToSign", "cloudkms.cryptoKeys.setIamPolicy"]
    held = as_robot.test_iam_permissions(request={"resource": key, "permissions": asked})
    assert list(held.permissions) == asked[:1]
