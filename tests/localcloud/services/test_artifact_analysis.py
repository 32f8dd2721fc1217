"""Artifact Analysis as REST callers see it: the provenance of built images, signed by a key that everybody may read."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.auth.transport.requests import AuthorizedSession
from google.cloud import artifactregistry_v1, kms_v1
from google.cloud.artifactregistry_v1.types import Repository
from google.cloud.devtools import cloudbuild_v1
from google.cloud.devtools.cloudbuild_v1.types import Build
from google.oauth2.credentials import Credentials

from localcloud.daemon import Connection
from tests.accounts import classic_project, grant, make_account, owner_session
from tests.waiting import PATIENCE_SECONDS

REGION = "us-central1"
HOST = "https://containeranalysis.googleapis.com"


@pytest.fixture
def built(cloud: Connection, project: str) -> Build:
    """A build of two images without sources."""
    classic_project(project)
    parent = f"projects/{project}/locations/{REGION}"
    artifactregistry_v1.ArtifactRegistryClient().create_repository(
        parent=parent, repository_id="images", repository=Repository(format_=Repository.Format.DOCKER)
    ).result()
    images = [f"{REGION}-docker.pkg.dev/{project}/images/{name}:1" for name in ("one", "two")]
    build = Build(steps=[{"name": "ubuntu", "args": ["true"]}], images=images)
    client = cloudbuild_v1.CloudBuildClient()
    return client.create_build(request={"parent": parent, "build": build}).result(timeout=PATIENCE_SECONDS)


def occurrences(project: str, session: Any = None, **query: str | int) -> Any:
    answer = (session or owner_session()).get(f"{HOST}/v1/projects/{project}/occurrences", params=query)
    return answer.json() if answer.ok else answer


def test_each_image_has_provenance_that_google_s_key_verifies(built: Build, project: str, cloud: Connection) -> None:
    image = built.results.images[1]
    name = f"{REGION}-docker.pkg.dev/{project}/images/two"
    (found,) = occurrences(project, filter=f'kind="BUILD" AND resourceUrl="https://{name}@{image.digest}"')[
        "occurrences"
    ]
    assert owner_session().get(f"{HOST}/v1/{found['name']}").json() == found
    assert (found["kind"], found["resourceUri"]) == ("BUILD", f"https://{name}@{image.digest}")
    payload = base64.b64decode(found["envelope"]["payload"])
    statement = json.loads(payload)
    assert statement == found["build"]["inTotoSlsaProvenanceV1"]
    digest = {"sha256": image.digest.removeprefix("sha256:")}
    assert statement["subject"] == [{"name": f"https://{each}", "digest": digest} for each in (name, f"{name}:1")]
    run = statement["predicate"]["runDetails"]
    assert run["builder"] == {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker"}
    assert run["metadata"]["invocationId"].endswith(f"/v1/projects/{project}/locations/{REGION}/builds/{built.id}")
    (signature,) = found["envelope"]["signatures"]
    # An account without any role may read the key.
    nobody = Credentials(cloud.access_token(make_account(project, "nobody")))
    pem = kms_v1.KeyManagementServiceClient(credentials=nobody).get_public_key(name=signature["keyid"]).pem
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    key.verify(base64.urlsafe_b64decode(signature["sig"]), signed, ec.ECDSA(hashes.SHA256()))


def test_occurrences_are_listed_by_pages_and_as_gcloud_filters(built: Build, project: str) -> None:
    images = [f"{each.name.partition(':')[0]}@{each.digest}" for each in built.results.images]
    anywhere = " OR ".join(f'(resourceUrl = "{scheme}{image}")' for image in images for scheme in ("https://", ""))
    asked = f'((kind = "BUILD") OR (kind = "SBOM_REFERENCE")) AND ({anywhere})'
    first = occurrences(project, filter=asked, pageSize=1)
    second = occurrences(project, filter=asked, pageSize=1, pageToken=first["nextPageToken"])
    found = [*first["occurrences"], *second["occurrences"]]
    assert {each["resourceUri"] for each in found} == {f"https://{image}" for image in images}
    assert "nextPageToken" not in second
    assert occurrences(project, filter='kind="VULNERABILITY"') == {}
    assert occurrences(project, filter="nothing=1").status_code == 400
    assert occurrences(project, pageSize=1001).status_code == 400


def test_only_who_may_sees_them(built: Build, project: str, cloud: Connection) -> None:
    account = make_account(project, "reader")
    session = AuthorizedSession(Credentials(cloud.access_token(account)))
    refused = occurrences(project, session)
    assert refused.status_code == 403
    assert "containeranalysis.occurrences.list" in refused.json()["error"]["message"]
    grant(project, "roles/containeranalysis.occurrences.viewer", account)
    assert len(occurrences(project, session)["occurrences"]) == 2


def test_what_is_not_carried_out_is_said(project: str) -> None:
    for path in (f"projects/{project}/notes", f"projects/{project}/occurrences:vulnerabilitySummary"):
        answer = owner_session().get(f"{HOST}/v1/{path}")
        assert (answer.status_code, answer.json()["error"]["status"]) == (501, "UNIMPLEMENTED")
    created = owner_session().post(f"{HOST}/v1/projects/{project}/occurrences", json={"kind": "BUILD"})
    assert created.status_code == 501
    missing = owner_session().get(f"{HOST}/v1/projects/{project}/occurrences/none")
    assert missing.status_code == 404
