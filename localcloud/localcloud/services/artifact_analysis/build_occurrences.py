"""The signed provenance that Cloud Build writes into Artifact Analysis for the images of a build.

Form: a build of 2023-08-08 by Google's hosted workers, as `gcloud artifacts docker images describe --show-provenance`
printed it (slsa-framework/slsa-verifier at 58eede7, v1.0-gcloud-container-github-v1.0-valid.json, read 2026-11-30).
Doubt: how SLSA 1.0 names an archive in Cloud Storage; here as version 0.1 does, by `gs://BUCKET/OBJECT#GENERATION`.
Version 0.1, which Google writes beside it, is left out.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.struct_pb2 import Struct

from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, struct_of
from localcloud.core.store import Kind
from localcloud.services.kms.google_keys import ATTESTOR, sign_as_google

OCCURRENCES = Kind("occurrence", Struct)

_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_BUILDER = "https://cloudbuild.googleapis.com/GoogleHostedWorker"
_BUILD_TYPE = "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1"
# Hash.HashType.SHA256 of Cloud Build.
_SHA256 = 1


def record_build(cloud: Cloud, build: Any) -> None:
    """Writes an occurrence for each image of a finished build; a failed build has none."""
    for image in build.results.images:
        statement = _statement(build, image)
        payload = json.dumps(statement, separators=(",", ":")).encode()
        signature = sign_as_google(cloud, b"DSSEv1 %d %s %d %s" % (*_sized(_PAYLOAD_TYPE.encode()), *_sized(payload)))
        name = f"projects/{cloud.project_id(build.project_id)}/occurrences/{cloud.ids.hex(32)}"
        now = cloud.timestamp().ToJsonString()
        occurrence: Fields = {
            "name": name,
            "resourceUri": f"https://{_untagged(image.name)}@{image.digest}",
            "noteName": f"projects/verified-builder/notes/intoto_slsa_v1_{build.id}",
            "kind": "BUILD",
            "createTime": now,
            "updateTime": now,
            "build": {"inTotoSlsaProvenanceV1": statement},
            "envelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": _PAYLOAD_TYPE,
                "signatures": [{"keyid": ATTESTOR, "sig": base64.urlsafe_b64encode(signature).decode()}],
            },
        }
        cloud.store.put(OCCURRENCES, cloud.canonical(name), struct_of(occurrence))


def _statement(build: Any, image: Any) -> Fields:
    digest = {"sha256": image.digest.removeprefix("sha256:")}
    names = (_untagged(image.name), image.name)
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f"https://{name}", "digest": digest} for name in names],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {},
                "internalParameters": {
                    "systemSubstitutions": {"BUILD_ID": build.id, "LOCATION": build.name.split("/")[3]}
                },
                "resolvedDependencies": list(_dependencies(build)),
            },
            "runDetails": {
                "builder": {"id": _BUILDER},
                "metadata": {
                    "invocationId": f"https://cloudbuild.googleapis.com/v1/projects/{build.project_id}/"
                    f"locations/{build.name.split('/')[3]}/builds/{build.id}",
                    "startedOn": build.start_time.ToJsonString(),
                    "finishedOn": build.finish_time.ToJsonString(),
                },
            },
        },
    }


def _dependencies(build: Any) -> Iterator[Fields]:
    for place, hashes in build.source_provenance.file_hashes.items():
        for one in hashes.file_hash:
            if one.type_ == _SHA256:
                yield {"uri": place, "digest": {"sha256": one.value.hex()}}


def _untagged(image: str) -> str:
    return image.partition(":")[0]


def _sized(text: bytes) -> tuple[int, bytes]:
    return len(text), text
