"""The workflows that bootstrap's identity provider takes for CI, by claim; the local cloud decides by its condition."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import OAuthError
from google.auth.transport.requests import Request

from localcloud.daemon import Connection
from tests.accounts import owner_session
from tests.federation import federated, key_set, workflow_token
from vertex_vllm.bootstrap.making import project_number
from vertex_vllm.bootstrap.required_setup import POOL, PROVIDER, Settings, wanted
from vertex_vllm.bootstrap.setup_steps import Resource

IAM = "https://iam.googleapis.com/v1"
REPOSITORY, OWNER = "4711", "42"
OURS = {
    "repository": "team/models",
    "repository_id": REPOSITORY,
    "repository_owner": "team",
    "repository_owner_id": OWNER,
    "ref": "refs/heads/main",
    "event_name": "push",
    "sub": "repo:team/models:ref:refs/heads/main",
}


@pytest.fixture(scope="module")
def provider(cloud: Connection) -> str:
    """Name of the provider, made with bootstrap's own condition and mapping; the signing key is a test's."""
    session, project = owner_session(), f"claims-{uuid.uuid4().hex[:8]}"
    settings = Settings(
        project,
        project_number(session, project),
        "us-central1",
        github_repository_id=REPOSITORY,
        github_owner_id=OWNER,
    )
    made = next(
        step
        for step in wanted(settings)
        if isinstance(step, Resource) and "attributeCondition" in (step.create.body or {})
    )
    assert made.create.body is not None
    pools = f"{IAM}/projects/{project}/locations/global/workloadIdentityPools"
    session.post(f"{pools}?workloadIdentityPoolId={POOL}", json={}).raise_for_status()
    body = made.create.body | {"oidc": made.create.body["oidc"] | {"jwksJson": key_set()}}
    answer = session.post(f"{pools}/{POOL}/providers?workloadIdentityPoolProviderId={PROVIDER}", json=body)
    answer.raise_for_status()
    return str(answer.json()["response"]["name"])


def log_in(provider: str, folder: Path, claims: dict[str, Any]) -> None:
    (folder / "token").write_text(workflow_token(provider, **OURS | claims))
    federated(provider, folder / "token").refresh(Request())


@pytest.mark.parametrize(
    "claims",
    [
        {},
        # The repository was renamed, or given to an owner that was renamed: its numbers stay.
        {"repository": "team/renamed", "sub": "repo:team/renamed:ref:refs/heads/main"},
        {"workflow": "another.yaml", "actor": "somebody"},
    ],
    ids=["push to main", "renamed", "another workflow of that push"],
)
def test_pushes_to_the_branch_are_taken(provider: str, tmp_path: Path, claims: dict[str, Any]) -> None:
    log_in(provider, tmp_path, claims)


REFUSED: dict[str, dict[str, Any]] = {
    "another branch": {"ref": "refs/heads/mine", "sub": "repo:team/models:ref:refs/heads/mine"},
    "a branch whose name begins alike": {"ref": "refs/heads/main2"},
    "a tag named like the branch": {"ref": "refs/tags/main"},
    "a pull request of a branch": {"event_name": "pull_request", "ref": "refs/pull/7/merge"},
    "a pull request that claims the branch": {"event_name": "pull_request"},
    "pull_request_target": {"event_name": "pull_request_target"},
    "a run by hand": {"event_name": "workflow_dispatch"},
    "a run of another workflow's end": {"event_name": "workflow_run"},
    "a schedule": {"event_name": "schedule"},
    "a merge queue": {"event_name": "merge_group", "ref": "refs/heads/gh-readonly-queue/main/pr-7"},
    "a fork": {"repository": "evil/models", "repository_id": "9", "repository_owner_id": "66"},
    "a name that was registered again": {"repository_id": "9"},
    "an owner's name that was registered again": {"repository_id": "9", "repository_owner_id": "66"},
    "the repository under another owner": {"repository_owner_id": "66"},
    "another repository of the owner": {"repository": "team/other", "repository_id": "9"},
    "a number that begins alike": {"repository_id": f"{REPOSITORY}1"},
    "no repository's number": {"repository_id": ""},
    "no event": {"event_name": ""},
    "another capitalisation": {"ref": "refs/heads/Main"},
}


@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED)
def test_every_other_workflow_is_refused(provider: str, tmp_path: Path, claims: dict[str, Any]) -> None:
    with pytest.raises(OAuthError, match="rejected by the attribute condition"):
        log_in(provider, tmp_path, claims)
