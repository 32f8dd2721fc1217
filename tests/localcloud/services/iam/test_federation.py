"""A workflow on GitHub logs in through a workload identity provider, by google-auth itself."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import OAuthError, RefreshError
from google.auth.transport.requests import Request
from google.cloud import storage

from tests.accounts import grant_on_bucket, make_account, owner_session
from tests.federation import GITHUB, federated, key_set, workflow_token

IAM = "https://iam.googleapis.com/v1"
CONDITION = "assertion.repository_id == '1' && assertion.ref == 'refs/heads/main' && assertion.event_name == 'push'"


@pytest.fixture(scope="module")
def provider(cloud: Any) -> str:
    """The name of a provider that takes pushes to main of repository 1."""
    session, project = owner_session(), f"federated-{uuid.uuid4().hex[:8]}"
    pools = f"projects/{project}/locations/global/workloadIdentityPools"
    session.post(f"{IAM}/{pools}?workloadIdentityPoolId=pool", json={}).raise_for_status()
    body = {
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.repository_id": "assertion.repository_id"},
        "attributeCondition": CONDITION,
        "oidc": {"issuerUri": GITHUB, "jwksJson": key_set()},
    }
    create = f"{IAM}/{pools}/pool/providers?workloadIdentityPoolProviderId=github"
    made = session.post(create, json=body)
    made.raise_for_status()
    return str(made.json()["response"]["name"])


def token_file(folder: Path, provider: str, **claims: Any) -> Path:
    path = folder / "token"
    path.write_text(workflow_token(provider, **claims))
    return path


def test_a_workflow_acts_as_an_account_once_it_may(provider: str, tmp_path: Path) -> None:
    session, project = owner_session(), f"federated-{uuid.uuid4().hex[:8]}"
    email, bucket = make_account(project, "deployer"), f"b-{uuid.uuid4().hex}"
    storage.Client(project=project).create_bucket(bucket)
    grant_on_bucket(bucket, "roles/storage.bucketViewer", email)
    credentials = federated(provider, token_file(tmp_path, provider), email)
    with pytest.raises(RefreshError, match=r"iam\.serviceAccounts\.getAccessToken"):
        credentials.refresh(Request())
    pool = provider.partition("/providers/")[0]
    member = f"principalSet://iam.googleapis.com/{pool}/attribute.repository_id/1"
    policy = {"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [member]}]}
    account = f"{IAM}/projects/{project}/serviceAccounts/{email}"
    session.post(f"{account}:setIamPolicy", json={"policy": policy}).raise_for_status()
    client = storage.Client(project=project, credentials=credentials)
    assert client.get_bucket(bucket).name == bucket


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"repository_id": "9"}, "rejected by the attribute condition"),
        ({"ref": "refs/heads/mine"}, "rejected by the attribute condition"),
        ({"event_name": "pull_request"}, "rejected by the attribute condition"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "https://iam.googleapis.com/another"}, "audience"),
        ({"exp": 1}, "expired"),
    ],
    ids=["repository", "branch", "event", "issuer", "audience", "expired"],
)
def test_another_workflow_is_refused(provider: str, tmp_path: Path, claims: dict[str, Any], words: str) -> None:
    credentials = federated(provider, token_file(tmp_path, provider, **claims))
    with pytest.raises(OAuthError, match=words):
        credentials.refresh(Request())


def test_a_token_that_another_key_signed_is_refused(provider: str, tmp_path: Path) -> None:
    path = token_file(tmp_path, provider)
    signed, _, signature = path.read_text().rpartition(".")
    path.write_text(f"{signed}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}")
    with pytest.raises(OAuthError, match="jwksJson"):
        federated(provider, path).refresh(Request())
