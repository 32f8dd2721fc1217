"""compiled/deploy.yaml with a signing key: the pipeline's account signs the mirror, and upload_model verifies it."""

import uuid

import pytest
from google.cloud import kms_v1
from google.cloud.kms_v1.types import CryptoKey, CryptoKeyVersion
from google.iam.v1 import policy_pb2

from tests.demo_project import REGION, DemoProject
from vertex_vllm.mirror.signing_keys import signing_key
from vertex_vllm.mirror.verification import verify_mirror
from vertex_vllm.project_names import PIPELINE_ACCOUNT, account_email

pytestmark = [pytest.mark.slow, pytest.mark.parity("local cloud only")]


@pytest.fixture
def version(small_project: DemoProject) -> str:
    """A key version on which no account has a grant yet."""
    client = kms_v1.KeyManagementServiceClient()
    ring = client.create_key_ring(
        parent=f"projects/{small_project.id}/locations/{REGION}",
        key_ring_id=f"models-{uuid.uuid4().hex[:8]}",
        key_ring={},
    )
    key = CryptoKey(
        purpose=CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN,
        version_template={"algorithm": CryptoKeyVersion.CryptoKeyVersionAlgorithm.EC_SIGN_P256_SHA256},
    )
    made = client.create_crypto_key(parent=ring.name, crypto_key_id="manifests", crypto_key=key)
    return f"{made.name}/cryptoKeyVersions/1"


def grant(version: str, project: str) -> None:
    """Grants the pipeline's account the key, as bootstrap does with --signing-key."""
    member = f"serviceAccount:{account_email(PIPELINE_ACCOUNT, project)}"
    binding = policy_pb2.Binding(role="roles/cloudkms.signerVerifier", members=[member])
    key = version.partition("/cryptoKeyVersions/")[0]
    policy = policy_pb2.Policy(bindings=[binding])
    kms_v1.KeyManagementServiceClient().set_iam_policy(request={"resource": key, "policy": policy})


def test_a_deployment_is_signed_and_verified_and_without_the_grant_refused(
    small_project: DemoProject, version: str
) -> None:
    deployment = small_project.own_deployment("signed")
    refused = small_project.run("deploy", deployment, signing_key=version)
    assert refused.state == "FAILED"
    (step,) = (step for step in refused.steps if step.state == "FAILED")
    assert step.name == "mirror-weights", step.error
    assert "roles/cloudkms.signerVerifier" in step.error
    grant(version, small_project.id)
    run = small_project.run("deploy", deployment, signing_key=version)
    assert run.state == "SUCCEEDED", [(step.name, step.error) for step in run.steps]
    manifest = run.output("mirror-weights", "manifest")
    assert manifest is not None
    verified = verify_mirror(manifest.metadata["uri"], small_project.id, signing_key(version), content=True)
    assert verified.mirrored_by == f"serviceAccount:{account_email(PIPELINE_ACCOUNT, small_project.id)}"
