"""Grants of earlier versions of bootstrap are found and revoked, and nobody else's."""

import pytest

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import Answer, vertex_vllm
from vertex_vllm.bootstrap import api_requests
from vertex_vllm.bootstrap.making import is_missing, make, project_number
from vertex_vllm.bootstrap.required_setup import CI, Settings, wanted
from vertex_vllm.bootstrap.session import authorized_session
from vertex_vllm.bootstrap.setup_steps import Grant
from vertex_vllm.bootstrap.withdrawn_grants import existing, withdrawn

REGION = "us-central1"


def bootstrap(project: str, *options: str) -> Answer:
    return vertex_vllm(
        "bootstrap", "--project", project, "--region", REGION, "--no-image", "--no-hf-token", *options, stdin=""
    )


def by_name(settings: Settings) -> Grant:
    """The grant to a repository on GitHub by its name."""
    member = f"principalSet://iam.googleapis.com/{settings.identity_pool}/attribute.repository/team/models"
    place = api_requests.account_policy(settings.project, settings.account(CI))
    return Grant(member, "roles/iam.workloadIdentityUser", place)


def test_no_superseded_grant_is_wanted() -> None:
    settings = Settings("p", "1", REGION, "2", "3", cloud_build=True)
    grants = [step for step in wanted(settings) if isinstance(step, Grant)]
    assert [grant for grant in withdrawn(settings) if grant in grants] == []


def test_the_grants_of_7871aca_are_known() -> None:
    """Bootstrap at that commit granted these to its accounts; the rest of what it granted is still wanted."""
    told = {(grant.member.partition("@")[0], grant.role) for grant in withdrawn(Settings("p", "1", REGION))}
    assert {
        ("serviceAccount:vertex-vllm-pipeline", "roles/aiplatform.user"),
        ("serviceAccount:vertex-vllm-pipeline", "roles/storage.admin"),
        ("serviceAccount:vertex-vllm-ci", "roles/aiplatform.user"),
        ("serviceAccount:vertex-vllm-ci", "roles/storage.objectUser"),
        ("serviceAccount:vertex-vllm-ci", "roles/artifactregistry.writer"),
    } <= told


@pytest.fixture
def earlier(cloud: Connection, project: str) -> Settings:
    """Settings of a project that has every grant of every version, and two of somebody else."""
    session = authorized_session()
    settings = Settings(project, project_number(session, project), REGION, hub_token=False)
    for step in (*wanted(settings), *withdrawn(settings), by_name(settings)):
        make(session, step)
    for grant in others(settings):
        make(session, grant)
    return settings


def others(settings: Settings) -> tuple[Grant, ...]:
    """A person's grant of a role that is withdrawn, and a withdrawn role that a person gave for a while."""
    until = {"title": "for now", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"}
    account = f"serviceAccount:{settings.account(CI)}"
    place = api_requests.project_policy(settings.project)
    return (
        Grant("user:a@example.com", "roles/aiplatform.user", place),
        Grant(account, "roles/aiplatform.user", place, until),
    )


def test_they_are_listed_and_revoked_with_consent_and_no_others(earlier: Settings) -> None:
    session, old = authorized_session(), (*withdrawn(earlier), by_name(earlier))
    assert existing(session, earlier) == old

    checked = bootstrap(earlier.project, "--check")
    assert (checked.returncode, checked.stdout.count("withdrawn  grant ")) == (1, len(old))
    assert f"0 of {len(wanted(earlier))} missing, {len(old)} grants of an earlier bootstrap to revoke" in checked.stderr

    asked = bootstrap(earlier.project)
    assert (asked.returncode, "--yes revokes them" in asked.stderr) == (0, True)
    assert existing(session, earlier) == old

    revoked = bootstrap(earlier.project, "--yes")
    assert (revoked.returncode, revoked.stdout.count("revoked  grant ")) == (0, len(old))
    assert existing(session, earlier) == ()
    kept = [*others(earlier), *(step for step in wanted(earlier) if isinstance(step, Grant))]
    assert not [grant.name for grant in kept if is_missing(session, grant)]

    assert "no change" in bootstrap(earlier.project, "--yes").stderr


def test_removal_takes_them_too(earlier: Settings) -> None:
    assert bootstrap(earlier.project, "--remove", "--yes").returncode == 0
    assert existing(authorized_session(), earlier) == ()
