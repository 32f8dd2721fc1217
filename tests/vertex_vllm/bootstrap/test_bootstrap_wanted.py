"""What is asked for, as values."""

import pytest

from vertex_vllm.bootstrap.resources import Grant, Resource, SecretValue
from vertex_vllm.bootstrap.wanted import Settings, removable, wanted
from vertex_vllm.errors import InputError

PLAIN = Settings("team-project", "123", "us-central1", hub_token=False)
FULL = Settings("team-project", "123", "us-central1", "team/repo")


def grants(settings: Settings) -> set[tuple[str, str, str]]:
    return {
        (step.member.removeprefix("serviceAccount:").partition("@")[0], step.role, step.on.resource)
        for step in wanted(settings)
        if isinstance(step, Grant)
    }


def test_every_role_is_on_the_narrowest_resource_that_has_it() -> None:
    weights, runs = "gs://team-project-vertex-vllm-us-central1", "gs://team-project-vertex-vllm-us-central1-runs"
    account = "service account {}@team-project.iam.gserviceaccount.com".format
    assert grants(PLAIN) == {
        ("vertex-vllm-pipeline", "roles/aiplatform.user", "project team-project"),
        ("vertex-vllm-pipeline", "roles/cloudquotas.viewer", "project team-project"),
        ("vertex-vllm-pipeline", "roles/storage.bucketViewer", "project team-project"),
        ("vertex-vllm-pipeline", "roles/storage.admin", weights),
        ("vertex-vllm-pipeline", "roles/storage.objectUser", runs),
        ("vertex-vllm-pipeline", "roles/artifactregistry.reader", "repository us-central1/vertex-vllm"),
        ("vertex-vllm-pipeline", "roles/iam.serviceAccountUser", account("vertex-vllm-serving")),
        ("vertex-vllm-serving", "roles/storage.objectViewer", weights),
        ("vertex-vllm-ci", "roles/aiplatform.user", "project team-project"),
        ("vertex-vllm-ci", "roles/storage.objectUser", runs),
        ("vertex-vllm-ci", "roles/storage.legacyBucketReader", runs),
        ("vertex-vllm-ci", "roles/artifactregistry.reader", "repository us-central1/vertex-vllm"),
        ("vertex-vllm-ci", "roles/artifactregistry.writer", "repository us-central1/vertex-vllm-templates"),
        ("vertex-vllm-ci", "roles/iam.serviceAccountUser", account("vertex-vllm-pipeline")),
        ("vertex-vllm-build", "roles/logging.logWriter", "project team-project"),
        ("vertex-vllm-build", "roles/storage.objectViewer", runs),
        ("vertex-vllm-build", "roles/artifactregistry.writer", "repository us-central1/vertex-vllm"),
    }


def test_the_token_is_for_the_pipeline_alone_and_ci_sees_its_version() -> None:
    assert {grant for grant in grants(FULL) if grant[2] == "secret hf-token"} == {
        ("vertex-vllm-pipeline", "roles/secretmanager.secretAccessor", "secret hf-token"),
        ("vertex-vllm-ci", "roles/secretmanager.viewer", "secret hf-token"),
    }
    assert not any(isinstance(step, SecretValue) for step in wanted(PLAIN))


def test_federation_is_for_exactly_one_repository() -> None:
    *_, pool, provider, grant = wanted(FULL)
    assert isinstance(pool, Resource)
    assert isinstance(provider, Resource)
    assert isinstance(grant, Grant)
    assert provider.create.body is not None
    assert provider.create.body["attributeCondition"] == "assertion.repository == 'team/repo'"
    assert grant.role == "roles/iam.workloadIdentityUser"
    assert grant.member == (
        "principalSet://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/vertex-vllm-github/"
        "attribute.repository/team/repo"
    )
    assert grant.on.resource == "service account vertex-vllm-ci@team-project.iam.gserviceaccount.com"


@pytest.mark.parametrize("repository", ["team", "team/repo/x", "team/'||true||'", "*/*", "team/*"])
def test_a_repository_cannot_widen_the_condition(repository: str) -> None:
    with pytest.raises(InputError, match="no repository on GitHub"):
        Settings("team-project", "123", "us-central1", repository)


def test_removal_knows_everything_that_may_have_been_made() -> None:
    names = {step.name for step in removable(PLAIN)}
    assert {step.name for step in wanted(FULL)} - names == {
        # They go with their pool, their account, or stay.
        "sts.googleapis.com",
        "iamcredentials.googleapis.com",
        "projects/123/locations/global/workloadIdentityPools/vertex-vllm-github/providers/vertex-vllm-github",
        next(step.name for step in wanted(FULL) if step.name.startswith("roles/iam.workloadIdentityUser")),
    }
