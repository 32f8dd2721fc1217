"""The resources and grants of bootstrap, as values."""

from dataclasses import replace

import pytest

from vertex_vllm.bootstrap.required_setup import Settings, removable, wanted
from vertex_vllm.bootstrap.setup_steps import Grant, Resource, SecretValue, ServiceAgent
from vertex_vllm.errors import InputError

PLAIN = Settings("team-project", "123", "us-central1", hub_token=False)
FULL = Settings("team-project", "123", "us-central1", "4711", "42", cloud_build=True)


def grants(settings: Settings) -> set[tuple[str, str, str]]:
    return {
        (step.member.removeprefix("serviceAccount:").partition("@")[0], step.role, step.on.resource)
        for step in wanted(settings)
        if isinstance(step, Grant)
    }


def test_every_role_is_on_the_narrowest_resource_that_has_it() -> None:
    weights = "gs://team-project-vertex-vllm-us-central1"
    runs, sources = f"{weights}-runs", f"{weights}-srcs"
    account = "service account {}@team-project.iam.gserviceaccount.com".format
    custom = "projects/team-project/roles/{}".format
    agent = "service-123"
    assert grants(PLAIN) == {
        ("vertex-vllm-pipeline", custom("vertexVllmPipeline"), "project team-project"),
        ("vertex-vllm-pipeline", "roles/storage.objectUser", weights),
        ("vertex-vllm-pipeline", custom("vertexVllmBucket"), weights),
        ("vertex-vllm-pipeline", "roles/storage.objectUser", runs),
        ("vertex-vllm-pipeline", "roles/artifactregistry.reader", "repository us-central1/vertex-vllm"),
        ("vertex-vllm-pipeline", "roles/iam.serviceAccountUser", account("vertex-vllm-serving")),
        ("vertex-vllm-serving", "roles/storage.objectViewer", weights),
        ("vertex-vllm-ci", custom("vertexVllmCi"), "project team-project"),
        ("vertex-vllm-ci", "roles/storage.bucketViewer", runs),
        ("vertex-vllm-ci", "roles/artifactregistry.reader", "repository us-central1/vertex-vllm"),
        ("vertex-vllm-ci", "roles/iam.serviceAccountUser", account("vertex-vllm-pipeline")),
        ("vertex-vllm-build", "roles/logging.logWriter", "project team-project"),
        ("vertex-vllm-build", "roles/storage.objectViewer", sources),
        ("vertex-vllm-build", "roles/artifactregistry.writer", "repository us-central1/vertex-vllm"),
        (agent, "roles/aiplatform.serviceAgent", "project team-project"),
        (agent, "roles/iam.serviceAccountAdmin", account("vertex-vllm-serving")),
    }


def test_deleted_weights_are_not_kept_and_billed_and_a_run_s_artifacts_are() -> None:
    made = {step.name: step.create.body or {} for step in wanted(PLAIN) if isinstance(step, Resource)}
    weights, runs = "gs://team-project-vertex-vllm-us-central1", "gs://team-project-vertex-vllm-us-central1-runs"
    assert made[weights].get("softDeletePolicy") == {"retentionDurationSeconds": "0"}
    assert "softDeletePolicy" not in made[runs]


def test_vertex_ai_s_agent_is_made_before_it_is_granted_anything() -> None:
    steps = wanted(PLAIN)
    (agent,) = (step for step in steps if isinstance(step, ServiceAgent))
    assert agent.name == "service-123@gcp-sa-aiplatform.iam.gserviceaccount.com"
    assert agent.create.url == (
        "https://serviceusage.googleapis.com/v1beta1/projects/team-project/services/"
        "aiplatform.googleapis.com:generateServiceIdentity"
    )
    granted = [step for step in steps if isinstance(step, Grant) and agent.name in step.member]
    assert len(granted) == 2
    assert steps.index(agent) < min(map(steps.index, granted))


def test_only_the_build_reads_sources_and_no_account_of_ours_writes_them() -> None:
    sources = "gs://team-project-vertex-vllm-us-central1-srcs"
    assert [grant for grant in grants(FULL) if grant[2] == sources] == [
        ("vertex-vllm-build", "roles/storage.objectViewer", sources)
    ]
    assert not any(grant[0] == "vertex-vllm-build" and grant[2].endswith("-runs") for grant in grants(FULL))


def test_a_signing_key_is_the_pipeline_s() -> None:
    key = "projects/keys/locations/us/keyRings/models/cryptoKeys/manifests"
    signing = replace(PLAIN, signing_key=f"{key}/cryptoKeyVersions/2")
    assert grants(signing) - grants(PLAIN) == {("vertex-vllm-pipeline", "roles/cloudkms.signerVerifier", f"key {key}")}
    assert [step for step in wanted(signing) if step not in wanted(PLAIN) and not isinstance(step, Grant)] == []
    with pytest.raises(InputError, match="is not the name of a key of Cloud KMS"):
        replace(PLAIN, signing_key="my-key")


def test_a_pull_request_s_build_writes_its_log_and_does_nothing_else() -> None:
    assert {grant for grant in grants(FULL) if grant[0] == "vertex-vllm-plan"} == {
        ("vertex-vllm-plan", "roles/logging.logWriter", "project team-project")
    }
    assert not any(grant[0] == "vertex-vllm-plan" for grant in grants(PLAIN))


def test_the_token_is_for_the_pipeline_alone_and_ci_sees_its_version() -> None:
    assert {grant for grant in grants(FULL) if grant[2] == "secret hf-token"} == {
        ("vertex-vllm-pipeline", "roles/secretmanager.secretAccessor", "secret hf-token"),
        ("vertex-vllm-ci", "roles/secretmanager.viewer", "secret hf-token"),
    }
    assert not any(isinstance(step, SecretValue) for step in wanted(PLAIN))


def test_federation_is_for_pushes_to_one_branch_of_one_repository_by_its_ids() -> None:
    *_, pool, provider, grant = wanted(FULL)
    assert isinstance(pool, Resource)
    assert isinstance(provider, Resource)
    assert isinstance(grant, Grant)
    assert provider.create.body is not None
    assert provider.create.body["attributeCondition"] == (
        "assertion.repository_id == '4711' && assertion.repository_owner_id == '42' "
        "&& assertion.ref == 'refs/heads/main' && assertion.event_name == 'push'"
    )
    assert grant.role == "roles/iam.workloadIdentityUser"
    assert grant.member == (
        "principalSet://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/vertex-vllm-github/"
        "attribute.repository_id/4711"
    )
    assert grant.on.resource == "service account vertex-vllm-ci@team-project.iam.gserviceaccount.com"


@pytest.mark.parametrize("number", ["team", "0", "1' || true || '", "*", "-1", "1 "])
def test_an_id_cannot_widen_the_condition(number: str) -> None:
    for ids in ((number, "42"), ("4711", number)):
        with pytest.raises(InputError, match="is not a number"):
            Settings("team-project", "123", "us-central1", *ids)


@pytest.mark.parametrize("branch", ["main' || true || '", "", "a b", "main\\"])
def test_a_branch_cannot_widen_the_condition(branch: str) -> None:
    with pytest.raises(InputError, match="not the name of a branch"):
        Settings("team-project", "123", "us-central1", "4711", "42", branch)


@pytest.mark.parametrize("ids", [("4711", ""), ("", "42")])
def test_one_id_alone_is_not_enough(ids: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"gh api repos/OWNER/NAME"):
        Settings("team-project", "123", "us-central1", *ids)


def test_removal_knows_everything_that_may_have_been_made() -> None:
    names = {step.name for step in removable(PLAIN)}
    assert {step.name for step in wanted(FULL)} - names == {
        # These are deleted with their pool or account, or stay.
        "sts.googleapis.com",
        "iamcredentials.googleapis.com",
        "projects/123/locations/global/workloadIdentityPools/vertex-vllm-github/providers/vertex-vllm-github",
        next(step.name for step in wanted(FULL) if step.name.startswith("roles/iam.workloadIdentityUser")),
    }
