"""The REST front end, asked with plain HTTP through the proxy."""

from typing import Any

import google.auth
import google.auth.transport.requests
import pytest
import requests

from localcloud.daemon import Connection

VERTEX = "https://us-central1-aiplatform.googleapis.com"


@pytest.fixture(scope="module")
def session(cloud: Connection) -> requests.Session:
    credentials, _ = google.auth.default()
    made = google.auth.transport.requests.AuthorizedSession(credentials)
    made.verify = cloud.environment["REQUESTS_CA_BUNDLE"]
    return made


def _error(response: requests.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    assert response.status_code == error["code"]
    return error["code"], error["status"], error["message"]


def test_an_unknown_field_is_refused_by_name(session: requests.Session, project: str) -> None:
    url = f"{VERTEX}/v1/projects/{project}/locations/us-central1/endpoints"
    code, status, message = _error(session.post(url, json={"displayName": "x", "dedicated": True}))
    assert (code, status) == (400, "INVALID_ARGUMENT")
    assert '"dedicated"' in message


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_method_without_a_handler_is_named(session: requests.Session, project: str, version: str) -> None:
    url = f"{VERTEX}/{version}/projects/{project}/locations/us-central1/tensorboards"
    assert _error(session.get(url)) == (
        501,
        "UNIMPLEMENTED",
        f"The local cloud does not implement google.cloud.aiplatform.{version}.TensorboardService.ListTensorboards.",
    )


def test_a_request_line_of_no_method_is_named(session: requests.Session) -> None:
    assert _error(session.get(f"{VERTEX}/v1/nonsense")) == (
        404,
        "NOT_FOUND",
        "No method of us-central1-aiplatform.googleapis.com has GET /v1/nonsense.",
    )


def test_an_api_answers_only_at_its_own_host(session: requests.Session, project: str) -> None:
    assert session.get(f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets").json() == {}
    code, _, _ = _error(session.get(f"{VERTEX}/v1/projects/{project}/secrets"))
    assert code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer ya29.stale"}, {"Authorization": "Basic eDp5"}])
def test_a_call_without_the_daemons_token_is_refused(cloud: Connection, project: str, headers: dict[str, str]) -> None:
    url = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets"
    response = requests.get(url, headers=headers, verify=cloud.environment["REQUESTS_CA_BUNDLE"], timeout=20)
    code, status, _ = _error(response)
    assert (code, status) == (401, "UNAUTHENTICATED")


def test_enums_are_words_unless_numbers_are_asked_for(session: requests.Session, project: str) -> None:
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}"
    assert session.get(url).json()["state"] == "ACTIVE"
    assert session.get(url, params={"$alt": "json;enum-encoding=int"}).json()["state"] == 1


def test_answers_are_utf8_json(session: requests.Session, project: str) -> None:
    parent = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets"
    secret: dict[str, Any] = {"replication": {"automatic": {}}, "annotations": {"owner": "Zoë"}}
    response = session.post(parent, params={"secretId": "s"}, json=secret)
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert response.json()["annotations"] == {"owner": "Zoë"}
