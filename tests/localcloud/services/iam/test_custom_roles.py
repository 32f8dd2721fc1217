"""Custom roles of a project, over REST."""

from typing import Any

import google.auth
import pytest
from google.auth.transport.requests import AuthorizedSession

from localcloud.daemon import Connection

ROLE = {
    "title": "Reader of models",
    "description": "Looks at models",
    "includedPermissions": ["aiplatform.models.get", "aiplatform.models.list"],
    "stage": "GA",
}


@pytest.fixture
def session(cloud: Connection) -> AuthorizedSession:
    credentials, _ = google.auth.default()
    return AuthorizedSession(credentials)


@pytest.fixture
def roles(project: str) -> str:
    return f"https://iam.googleapis.com/v1/projects/{project}/roles"


@pytest.fixture
def role(session: AuthorizedSession, roles: str) -> dict[str, Any]:
    made: dict[str, Any] = session.post(roles, json={"roleId": "modelReader", "role": ROLE}).json()
    return made


def test_a_role_is_made_once_read_and_listed(
    session: AuthorizedSession, roles: str, role: dict[str, Any], project: str
) -> None:
    name = f"projects/{project}/roles/modelReader"
    basic = {field: role[field] for field in role if field != "includedPermissions"}

    assert role == {"name": name, **ROLE, "etag": role["etag"]}
    assert session.get(f"{roles}/modelReader").json() == role
    assert session.get(roles).json() == {"roles": [basic]}
    assert session.get(roles, params={"view": "FULL"}).json() == {"roles": [role]}
    again = session.post(roles, json={"roleId": "modelReader", "role": ROLE}).json()["error"]
    assert (again["status"], again["errors"][0]["reason"]) == ("ALREADY_EXISTS", "alreadyExists")


def test_a_patch_changes_the_fields_of_its_mask(session: AuthorizedSession, roles: str, role: dict[str, Any]) -> None:
    body = {"title": "Other", "includedPermissions": ["aiplatform.models.get"]}
    patched = session.patch(f"{roles}/modelReader?updateMask=included_permissions", json=body).json()

    wanted = {**role, "includedPermissions": ["aiplatform.models.get"], "etag": patched["etag"]}
    assert patched == wanted == session.get(f"{roles}/modelReader").json()
    stale = session.patch(f"{roles}/modelReader", json={"title": "Stale", "etag": role["etag"]})
    assert stale.json()["error"]["status"] == "ABORTED"


def test_a_deleted_role_keeps_its_id_and_comes_back(
    session: AuthorizedSession, roles: str, role: dict[str, Any]
) -> None:
    url = f"{roles}/modelReader"
    assert session.delete(url).json()["deleted"] is True
    assert session.get(roles).json() == {}
    assert len(session.get(roles, params={"showDeleted": "true"}).json()["roles"]) == 1
    assert session.patch(url, json={"title": "x"}).status_code == 400
    taken = session.post(roles, json={"roleId": "modelReader", "role": ROLE})
    assert "deleted state" in taken.json()["error"]["message"]
    restored = session.post(f"{url}:undelete", json={}).json()
    assert restored == {**role, "etag": restored["etag"]}
    assert session.post(f"{url}:undelete", json={}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"roleId": "a"},
        {"roleId": "with-hyphen", "role": ROLE},
        {"roleId": "roles", "role": {"includedPermissions": ["models.get"]}},
        {"roleId": "roles", "role": {"stage": "READY"}},
        {"roleId": "roles", "role": {"permissions": []}},
    ],
)
def test_roles_that_are_refused(session: AuthorizedSession, roles: str, body: dict[str, Any]) -> None:
    assert session.post(roles, json=body).json()["error"]["status"] == "INVALID_ARGUMENT"


def test_a_role_that_is_not_there(session: AuthorizedSession, roles: str, project: str) -> None:
    error = session.get(f"{roles}/absent").json()["error"]
    assert error["message"] == f"The role named projects/{project}/roles/absent was not found."
