"""Keys of Google's own project `verified-builder`, with which Cloud Build signs provenance.

Every account may read their public halves, as `gcloud kms keys versions get-public-key --project verified-builder` does
(slsa-framework/slsa-verifier, verifiers/internal/gcb/keys/README.md, read 2026-11-30).
"""

import hashlib

from google.cloud.kms_v1.types import CryptoKeyVersion, ProtectionLevel
from google.iam.v1.policy_pb2 import Binding, Policy
from google.protobuf.wrappers_pb2 import BytesValue

from localcloud.core.cloud import Cloud
from localcloud.core.permissions.decisions import POLICIES
from localcloud.services.kms import signing_algorithms as algorithms
from localcloud.services.kms.keys import PRIVATE_KEYS, VERSIONS

ATTESTOR = (
    "projects/verified-builder/locations/global/keyRings/attestor/cryptoKeys/google-hosted-worker/cryptoKeyVersions/1"
)
"""Signs SLSA 1.0 provenance of Google's hosted workers."""

_ALGORITHM = CryptoKeyVersion.CryptoKeyVersionAlgorithm.EC_SIGN_P256_SHA256


def sign_as_google(cloud: Cloud, data: bytes) -> bytes:
    """ECDSA signature of `data` by `ATTESTOR`, DER; the first call creates the key."""
    algorithm = algorithms.ALGORITHMS[_ALGORITHM]
    return algorithms.sign(_private_key(cloud), algorithm, hashlib.sha256(data).digest())


def _private_key(cloud: Cloud) -> bytes:
    stored = cloud.canonical(ATTESTOR)
    with cloud.store.transaction():
        if cloud.store.get(VERSIONS, stored) is None:
            version = CryptoKeyVersion.pb()(
                name=ATTESTOR,
                state=CryptoKeyVersion.CryptoKeyVersionState.ENABLED,
                protection_level=ProtectionLevel.SOFTWARE,
                algorithm=_ALGORITHM,
            )
            version.create_time.CopyFrom(cloud.timestamp())
            version.generate_time.CopyFrom(cloud.timestamp())
            cloud.secrets.put(
                PRIVATE_KEYS, stored, BytesValue(value=algorithms.generate(algorithms.ALGORITHMS[_ALGORITHM]))
            )
            cloud.store.put(VERSIONS, stored, version)
            readers = Binding(role="roles/cloudkms.publicKeyViewer", members=["allAuthenticatedUsers"])
            cloud.store.put(POLICIES, stored.partition("/cryptoKeyVersions/")[0], Policy(bindings=[readers]))
    key: bytes = cloud.secrets.require(PRIVATE_KEYS, stored).value
    return key
