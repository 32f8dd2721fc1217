"""Deliberate differences from Google that no recording shows: one test for each row of the list."""

import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import google.auth
import pytest
from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import aiplatform_v1, resourcemanager_v3, secretmanager_v1, service_usage_v1, storage

from benchmarks.recordings.deliberate import load_unrecorded
from localcloud.daemon import Connection

Check = Callable[[Connection, str], None]
_IAM = "https://iam.googleapis.com/v1"


def _session() -> AuthorizedSession:
    return AuthorizedSession(google.auth.default()[0])


def _new_account(project: str) -> Any:
    created = _session().post(f"{_IAM}/projects/{project}/serviceAccounts", json={"accountId": "new-account"})
    created.raise_for_status()
    return created.json()


def operations_done_at_once(cloud: Connection, project: str) -> None:
    name = f"projects/{project}/services/run.googleapis.com"
    assert service_usage_v1.ServiceUsageClient().enable_service(request={"name": name}).operation.done


def consistency(cloud: Connection, project: str) -> None:
    assert _session().get(f"{_IAM}/{_new_account(project)['name']}").status_code == 200


def projects_exist(cloud: Connection, project: str) -> None:
    url = f"https://cloudresourcemanager.googleapis.com/v1/projects/{project}"
    assert _session().get(url).status_code == 403
    assert resourcemanager_v3.ProjectsClient().get_project(name=f"projects/{project}").project_id == project
    assert _session().get(url).status_code == 200


def secrets_do_not_expire(cloud: Connection, project: str) -> None:
    client = secretmanager_v1.SecretManagerServiceClient()
    secret = {"replication": {"automatic": {}}, "ttl": timedelta(hours=1)}
    made = client.create_secret(parent=f"projects/{project}", secret_id="short", secret=secret)
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": 3700})
    assert client.get_secret(name=made.name).expire_time == made.expire_time


def apis_need_not_be_enabled(cloud: Connection, project: str) -> None:
    services = service_usage_v1.ServiceUsageClient()
    service = services.get_service(request={"name": f"projects/{project}/services/aiplatform.googleapis.com"})
    assert service.state == service_usage_v1.State.DISABLED
    endpoints = aiplatform_v1.EndpointServiceClient(
        client_options={"api_endpoint": "us-central1-aiplatform.googleapis.com"}
    )
    assert list(endpoints.list_endpoints(parent=f"projects/{project}/locations/us-central1")) == []


def rate_limits(cloud: Connection, project: str) -> None:
    def window() -> str | None:
        try:
            urllib.request.urlopen(f"{cloud.environment['HF_ENDPOINT']}/api/models/nobody/nothing")
        except urllib.error.HTTPError as answer:
            return answer.headers["RateLimit"]
        raise AssertionError("a model that nobody has was found")

    first = window()
    assert first is not None
    assert window() == first


def keys_of_google(cloud: Connection, project: str) -> None:
    answer = _session().get(f"{_IAM}/{_new_account(project)['name']}/keys?keyTypes=SYSTEM_MANAGED")
    assert (answer.status_code, answer.json().get("keys")) == (200, None)


def default_object_lists(cloud: Connection, project: str) -> None:
    bucket = storage.Client(project=project).create_bucket(f"{project}-lists")
    changed = [{"entity": "allUsers", "role": "READER"}]
    url = f"https://storage.googleapis.com/storage/v1/b/{bucket.name}"
    assert _session().patch(url, json={"defaultObjectAcl": changed}).status_code == 501


def groups(cloud: Connection, project: str) -> None:
    policy = {"bindings": [{"role": "roles/viewer", "members": ["group:team@example.com"]}]}
    with pytest.raises(exceptions.MethodNotImplemented, match="no groups"):
        resourcemanager_v3.ProjectsClient().set_iam_policy(
            request={"resource": f"projects/{project}", "policy": policy}
        )


_CHECKS: tuple[Check, ...] = (
    operations_done_at_once,
    consistency,
    projects_exist,
    secrets_do_not_expire,
    apis_need_not_be_enabled,
    rate_limits,
    keys_of_google,
    default_object_lists,
    groups,
)


def test_every_row_of_the_list_has_its_check() -> None:
    assert [check.__name__.replace("_", "-") for check in _CHECKS] == list(load_unrecorded())


@pytest.mark.parametrize("check", _CHECKS, ids=lambda check: check.__name__)
def test_a_difference_is_as_the_list_says(check: Check, cloud: Connection, project: str) -> None:
    check(cloud, project)
