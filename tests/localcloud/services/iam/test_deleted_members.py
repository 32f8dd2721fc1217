"""Members of policies after their service account was deleted, made again by the same name, and undeleted."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import resourcemanager_v3, secretmanager, storage
from google.oauth2.credentials import Credentials

from localcloud.daemon import Connection
from tests.accounts import grant, make_account, owner_session

IAM = "https://iam.googleapis.com/v1"
READER = "roles/secretmanager.viewer"
STORAGE_READER = "roles/storage.objectViewer"


@pytest.fixture
def robot(project: str) -> dict[str, Any]:
    """An account that may list the project's secrets and read a bucket of the project's name."""
    email = make_account(project, "some-robot")
    grant(project, READER, email)
    bucket = storage.Client(project=project).create_bucket(project)
    policy = bucket.get_iam_policy()
    policy[STORAGE_READER] = {f"serviceAccount:{email}"}
    bucket.set_iam_policy(policy)
    found: dict[str, Any] = owner_session().get(f"{IAM}/projects/-/serviceAccounts/{email}").json()
    return found


def delete(account: dict[str, Any]) -> None:
    owner_session().delete(f"{IAM}/{account['name']}").raise_for_status()


def members(project: str) -> tuple[list[str], set[str]]:
    """Of the two grants: in the project's policy, and in the bucket's."""
    policy = resourcemanager_v3.ProjectsClient().get_iam_policy(resource=f"projects/{project}")
    of_project = [member for binding in policy.bindings if binding.role == READER for member in binding.members]
    return of_project, set(storage.Client(project=project).bucket(project).get_iam_policy()[STORAGE_READER])


def may_read(cloud: Connection, project: str, email: str) -> tuple[bool, bool]:
    """Secrets, and the bucket's objects."""
    credentials = Credentials(cloud.access_token(email))
    secrets = secretmanager.SecretManagerServiceClient(credentials=credentials)
    objects = storage.Client(project=project, credentials=credentials)
    return (
        _passes(lambda: list(secrets.list_secrets(parent=f"projects/{project}"))),
        _passes(lambda: list(objects.list_blobs(project))),
    )


def _passes(call: Any) -> bool:
    try:
        call()
    except exceptions.Forbidden:
        return False
    return True


def test_members_of_a_deleted_account_are_marked_in_every_policy(project: str, robot: dict[str, Any]) -> None:
    delete(robot)
    marked = f"deleted:serviceAccount:{robot['email']}?uid={robot['uniqueId']}"
    assert members(project) == ([marked], {marked})


def test_an_account_of_the_same_address_has_nothing_until_it_is_bound_anew(
    cloud: Connection, project: str, robot: dict[str, Any]
) -> None:
    assert may_read(cloud, project, robot["email"]) == (True, True)
    delete(robot)
    make_account(project, "some-robot")
    assert may_read(cloud, project, robot["email"]) == (False, False)
    grant(project, READER, robot["email"])
    assert may_read(cloud, project, robot["email"]) == (True, False)
    marked = f"deleted:serviceAccount:{robot['email']}?uid={robot['uniqueId']}"
    assert sorted(members(project)[0]) == [marked, f"serviceAccount:{robot['email']}"]


def test_an_undeleted_account_has_its_roles_again(cloud: Connection, project: str, robot: dict[str, Any]) -> None:
    delete(robot)
    url = f"{IAM}/projects/{project}/serviceAccounts/{robot['uniqueId']}:undelete"
    owner_session().post(url, json={}).raise_for_status()
    member = f"serviceAccount:{robot['email']}"
    assert members(project) == ([member], {member})
    assert may_read(cloud, project, robot["email"]) == (True, True)


def test_a_policy_read_before_the_deletion_is_refused_for_its_account(project: str, robot: dict[str, Any]) -> None:
    client = resourcemanager_v3.ProjectsClient()
    policy = client.get_iam_policy(resource=f"projects/{project}")
    delete(robot)
    with pytest.raises(exceptions.InvalidArgument, match=f"Service account {robot['email']} does not exist."):
        client.set_iam_policy(request={"resource": f"projects/{project}", "policy": policy})
