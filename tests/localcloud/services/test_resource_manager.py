"""Projects and their policies, by v3 with Google's client and by v1 as Terraform and Config Connector ask for them."""

from typing import Any

import google.auth
import pytest
from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import resourcemanager_v3

from localcloud.daemon import Connection

V1 = "https://cloudresourcemanager.googleapis.com/v1"
Client = resourcemanager_v3.ProjectsClient


@pytest.fixture
def session(cloud: Connection) -> AuthorizedSession:
    credentials, _ = google.auth.default()
    return AuthorizedSession(credentials)


@pytest.fixture(params=["grpc", "rest"])
def client(request: pytest.FixtureRequest, cloud: Connection) -> Client:
    return Client(transport=request.param)


def new_project(project: str, **fields: Any) -> resourcemanager_v3.Project:
    return resourcemanager_v3.Project(project_id=f"{project}-made", parent="organizations/123", **fields)


def test_a_project_that_was_used_has_every_field_but_a_parent(client: Client, project: str) -> None:
    found = client.get_project(name=f"projects/{project}")
    again = client.get_project(name=found.name)

    assert (found.project_id, found.display_name, found.parent) == (project, project, "")
    assert found.state == resourcemanager_v3.Project.State.ACTIVE
    assert found.etag
    assert found.create_time == found.update_time
    assert again == found


def test_a_project_is_created_updated_deleted_and_undeleted(client: Client, project: str) -> None:
    wanted = new_project(project, display_name="Made", labels={"team": "a"})
    made = client.create_project(project=wanted).result()
    made.labels = {"team": "b"}
    changed = client.update_project(project=made, update_mask="labels").result()
    deleted = client.delete_project(name=made.name).result()
    with pytest.raises(exceptions.BadRequest, match="DELETE_REQUESTED"):
        client.delete_project(name=made.name)
    restored = client.undelete_project(name=made.name).result()

    assert (made.display_name, made.parent) == ("Made", "organizations/123")
    assert (changed.labels, changed.display_name) == ({"team": "b"}, "Made")
    assert (deleted.state.name, restored.state.name) == ("DELETE_REQUESTED", "ACTIVE")
    assert [one.name for one in client.list_projects(parent="organizations/123") if one.name == made.name] == [
        made.name
    ]
    assert made.name in [one.name for one in client.search_projects()]
    with pytest.raises(exceptions.Conflict):
        client.create_project(project=wanted)
    stale = resourcemanager_v3.Project(name=made.name, etag=made.etag, display_name="Stale")
    with pytest.raises(exceptions.Conflict):
        client.update_project(project=stale)


@pytest.mark.parametrize("project_id", ["short", "Upper-case", "ends-with-", "9-first", "x" * 31])
def test_project_ids_that_are_refused(client: Client, project_id: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="project_id"):
        client.create_project(project=resourcemanager_v3.Project(project_id=project_id))


def test_v1_knows_a_project_from_its_creation_on(session: AuthorizedSession, project: str) -> None:
    url = f"{V1}/projects/{project}-new"
    before = session.get(url)
    body = {
        "projectId": f"{project}-new",
        "name": "New one",
        "labels": {"team": "a"},
        "parent": {"type": "folder", "id": "77"},
    }
    operation = session.post(f"{V1}/projects", json=body).json()
    made = session.get(url).json()

    assert before.json()["error"]["status"] == "PERMISSION_DENIED"
    assert made == {
        **body,
        "projectNumber": made["projectNumber"],
        "lifecycleState": "ACTIVE",
        "createTime": made["createTime"],
    }
    assert operation["name"].startswith("operations/")
    assert operation["metadata"] == {
        "@type": "type.googleapis.com/google.cloudresourcemanager.v1.ProjectCreationStatus",
        "gettable": True,
        "ready": True,
    }
    kind = "type.googleapis.com/google.cloudresourcemanager.v1.Project"
    assert operation["response"] == {"@type": kind, **made}
    assert session.get(f"{V1}/{operation['name']}").json() == operation


def test_v1_changes_lists_and_deletes(session: AuthorizedSession, project: str) -> None:
    url = f"{V1}/projects/{project}-old"
    session.post(f"{V1}/projects", json={"projectId": f"{project}-old"})
    changed = session.put(url, json={"name": "Older", "labels": {"a": "1"}}).json()

    assert (changed["name"], changed["labels"]) == ("Older", {"a": "1"})
    assert changed in session.get(f"{V1}/projects").json()["projects"]
    assert session.delete(url).json() == {}
    assert session.get(url).json()["lifecycleState"] == "DELETE_REQUESTED"
    assert session.post(f"{url}:undelete", json={}).json() == {}
    assert session.get(url).json()["lifecycleState"] == "ACTIVE"
    assert session.post(f"{V1}/projects", json={"project": "x"}).status_code == 400
    assert session.post(f"{url}:move", json={}).status_code == 501


def test_v1_lists_the_projects_that_fit_a_filter(session: AuthorizedSession, project: str) -> None:
    body = {
        "projectId": project,
        "name": "How It Is",
        "labels": {"color": "red", "size": "big"},
        "parent": {"type": "organization", "id": "4711"},
    }
    session.post(f"{V1}/projects", json=body)

    def found(text: str) -> bool:
        answer = session.get(f"{V1}/projects", params={"filter": text})
        assert answer.status_code == 200, answer.text
        return project in {each["projectId"] for each in answer.json().get("projects", ())}

    fitting = ["lifecycleState:ACTIVE", "name:how*", 'name:"how it is"', f"id:{project}", "labels.color:*"]
    fitting += ["labels.color:red labels.size:big", "parent.type:organization AND parent.id:4711"]
    assert [text for text in fitting if not found(text)] == []
    others = ("lifecycleState:DELETE_REQUESTED", "name:how", "labels.color:blue", "labels.shape:*", "parent.id:471")
    assert [text for text in others if found(text)] == []
    for text in ("name:a OR name:b", "NOT name:a", "(name:a)", "createTime:x"):
        assert session.get(f"{V1}/projects", params={"filter": text}).status_code == 501


def test_v1_and_v3_share_a_policy_and_keep_what_the_mask_does_not_name(
    session: AuthorizedSession, project: str
) -> None:
    url = f"{V1}/projects/{project}"
    binding = {"role": "roles/viewer", "members": ["user:ada@example.com"]}
    audit = {"service": "allServices", "auditLogConfigs": [{"logType": "DATA_READ"}]}
    first = session.post(f"{url}:getIamPolicy", json={"options": {"requestedPolicyVersion": 3}}).json()
    policy = {**first, "bindings": [binding], "auditConfigs": [audit], "version": 3}
    session.post(f"{url}:setIamPolicy", json={"policy": policy, "updateMask": "bindings,etag,auditConfigs"})
    emptied = session.post(f"{url}:setIamPolicy", json={"policy": {"version": 1}}).json()
    shared = session.post(f"{url.replace('/v1/', '/v3/')}:getIamPolicy", json={}).json()

    assert first == {"version": 1, "etag": first["etag"]}
    assert emptied == {"version": 1, "etag": emptied["etag"], "auditConfigs": [audit]}
    assert shared == emptied
