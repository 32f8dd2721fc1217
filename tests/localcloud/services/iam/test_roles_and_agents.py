"""Roles and agents of services that the local cloud does not play: known by name, and granting nothing here."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, resourcemanager_v3, secretmanager
from google.oauth2.credentials import Credentials

from localcloud.core.permissions.permission_facts import text
from localcloud.daemon import Connection
from tests.accounts import grant, make_account, owner_session

USAGE = "https://serviceusage.googleapis.com"


@pytest.fixture
def number(project: str) -> str:
    return resourcemanager_v3.ProjectsClient().get_project(name=f"projects/{project}").name.partition("/")[2]


def granted(project: str) -> dict[str, list[str]]:
    policy = resourcemanager_v3.ProjectsClient().get_iam_policy(resource=f"projects/{project}")
    return {binding.role: list(binding.members) for binding in policy.bindings}


def enable(project: str, api: str) -> None:
    owner_session().post(f"{USAGE}/v1/projects/{project}/services/{api}:enable").raise_for_status()


@pytest.mark.parametrize("role", ["roles/cloudkms.cryptoKeyEncrypterDecrypter", "roles/dataproc.worker"])
def test_a_role_of_a_service_that_is_not_played_is_kept_and_grants_nothing(
    cloud: Connection, project: str, role: str
) -> None:
    robot = make_account(project, "some-robot")
    grant(project, role, robot)
    assert granted(project)[role] == [f"serviceAccount:{robot}"]
    client = secretmanager.SecretManagerServiceClient(credentials=Credentials(cloud.access_token(robot)))
    with pytest.raises(exceptions.Forbidden):
        client.list_secrets(parent=f"projects/{project}")


def test_a_role_of_another_service_grants_what_it_holds_of_the_played_ones(cloud: Connection, project: str) -> None:
    robot = make_account(project, "some-robot")
    grant(project, "roles/run.serviceAgent", robot)
    client = artifactregistry_v1.ArtifactRegistryClient(credentials=Credentials(cloud.access_token(robot)))
    parent = f"projects/{project}/locations/us-central1"
    assert list(client.list_repositories(parent=parent)) == []
    with pytest.raises(exceptions.Forbidden, match=r"artifactregistry\.repositories\.create"):
        client.create_repository(parent=parent, repository_id="images", repository={"format_": "DOCKER"})


@pytest.mark.parametrize("role", ["roles/run.admn", "roles/nobody.atAll", "projects/p/roles/unknown", "viewer"])
def test_a_role_that_does_not_exist_is_refused(project: str, number: str, role: str) -> None:
    robot = make_account(project, "some-robot")
    with pytest.raises(exceptions.InvalidArgument, match=f"Role {role} is not supported for this resource"):
        grant(project, role, robot)


@pytest.mark.parametrize(
    ("api", "agent"),
    [
        ("dataproc.googleapis.com", "service-{number}@dataproc-accounts.iam.gserviceaccount.com"),
        ("bigquery.googleapis.com", "bq-{number}@bigquery-encryption.iam.gserviceaccount.com"),
        ("compute.googleapis.com", "{number}@cloudservices.gserviceaccount.com"),
    ],
)
def test_an_agent_of_a_service_that_is_not_played_comes_with_its_api(
    project: str, number: str, api: str, agent: str
) -> None:
    email = agent.format(number=number)
    with pytest.raises(exceptions.InvalidArgument, match="does not exist"):
        grant(project, "roles/viewer", email)
    enable(project, api)
    grant(project, "roles/viewer", email)
    assert granted(project)["roles/viewer"] == [f"serviceAccount:{email}"]


@pytest.mark.parametrize("agent", ["service-{number}@gcp-sa-aiplatform", "service-{number}@gcp-sa-nobody"])
def test_an_agent_of_a_played_service_and_an_unknown_one_do_not(project: str, number: str, agent: str) -> None:
    enable(project, "aiplatform.googleapis.com")
    with pytest.raises(exceptions.InvalidArgument, match="does not exist"):
        grant(project, "roles/viewer", f"{agent.format(number=number)}.iam.gserviceaccount.com")


@pytest.mark.parametrize(
    ("api", "email"),
    [
        ("alloydb.googleapis.com", "service-{number}@gcp-sa-alloydb.iam.gserviceaccount.com"),
        ("spanner.googleapis.com", "service-{number}@gcp-sa-spanner.iam.gserviceaccount.com"),
        ("dataproc.googleapis.com", "service-{number}@dataproc-accounts.iam.gserviceaccount.com"),
        ("iam.googleapis.com", None),
    ],
)
def test_identities_of_services_that_are_not_played(project: str, number: str, api: str, email: str | None) -> None:
    url = f"{USAGE}/v1beta1/projects/{project}/services/{api}:generateServiceIdentity"
    answer: dict[str, Any] = owner_session().post(url).json()["response"]
    assert answer.get("email") == (email and email.format(number=number))


def test_the_table_has_a_line_for_each_row() -> None:
    table = {"read": "2026-08-22", "roles": {"roles/a.b": ["x.y.get"], "roles/c.d": []}}
    assert text(table) == ('{\n"read": "2026-08-22",\n"roles": {\n "roles/a.b": ["x.y.get"],\n "roles/c.d": []\n}\n}\n')
