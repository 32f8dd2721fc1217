"""Service accounts and their keys, as clients of the IAM API's REST form see them."""

import base64
import json
from typing import Any

import google.auth
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account

from localcloud.daemon import Connection

IAM = "https://iam.googleapis.com/v1"


@pytest.fixture
def session(cloud: Connection) -> AuthorizedSession:
    credentials, _ = google.auth.default()
    return AuthorizedSession(credentials)


@pytest.fixture
def accounts(project: str) -> str:
    return f"{IAM}/projects/{project}/serviceAccounts"


@pytest.fixture
def account(session: AuthorizedSession, accounts: str) -> dict[str, Any]:
    body = {
        "accountId": "night-shift",
        "serviceAccount": {"displayName": "Night shift", "description": "Runs at night"},
    }
    made: dict[str, Any] = session.post(accounts, json=body).json()
    return made


def test_a_new_account_has_every_field_of_the_real_ones(account: dict[str, Any], project: str) -> None:
    email = f"night-shift@{project}.iam.gserviceaccount.com"
    generated = {name: account.pop(name) for name in ("uniqueId", "oauth2ClientId", "etag")}

    assert account == {
        "name": f"projects/{project}/serviceAccounts/{email}",
        "projectId": project,
        "email": email,
        "displayName": "Night shift",
        "description": "Runs at night",
    }
    assert generated["uniqueId"] == generated["oauth2ClientId"]
    assert generated["uniqueId"].isdigit()
    assert len(generated["uniqueId"]) == 21
    assert base64.b64decode(generated["etag"], validate=True)


def test_compute_s_account_has_the_fields_of_any_other(session: AuthorizedSession, accounts: str, project: str) -> None:
    session.post(f"https://serviceusage.googleapis.com/v1/projects/{project}/services/compute.googleapis.com:enable")
    (found,) = session.get(accounts).json()["accounts"]
    generated = {name: found.pop(name) for name in ("uniqueId", "oauth2ClientId", "etag")}
    assert set(found) == {"name", "projectId", "email", "displayName"}
    assert generated["uniqueId"] == generated["oauth2ClientId"]
    assert base64.b64decode(generated["etag"], validate=True)


def test_an_account_is_found_by_email_or_unique_id_and_in_any_project(
    session: AuthorizedSession, accounts: str, account: dict[str, Any]
) -> None:
    anywhere = f"{IAM}/projects/-/serviceAccounts"
    for url in (f"{accounts}/{account['uniqueId']}", f"{anywhere}/{account['email']}"):
        assert session.get(url).json() == account
    assert session.get(f"{IAM}/projects/elsewhere/serviceAccounts/{account['email']}").status_code == 404


def test_a_patch_answers_the_name_and_what_it_changed(
    session: AuthorizedSession, accounts: str, account: dict[str, Any]
) -> None:
    url = f"{accounts}/{account['email']}"
    body = {"serviceAccount": {"displayName": "Day shift", "description": "Runs by day"}, "updateMask": "displayName"}
    patched = session.patch(url, json=body).json()
    read = session.get(url).json()

    assert patched == {"name": account["name"], "displayName": "Day shift"}
    assert read == {**account, "displayName": "Day shift", "etag": read["etag"]}
    assert read["etag"] != account["etag"]


@pytest.mark.parametrize(
    "body",
    [{"serviceAccount": {"displayName": "x"}}, {"updateMask": "email"}, {"updateMask": "description", "mask": 1}],
)
def test_patches_that_are_refused(
    session: AuthorizedSession, accounts: str, account: dict[str, Any], body: dict[str, Any]
) -> None:
    error = session.patch(f"{accounts}/{account['email']}", json=body).json()["error"]

    assert (error["status"], error["errors"][0]["reason"]) == ("INVALID_ARGUMENT", "badRequest")


def test_an_account_is_disabled_and_enabled(session: AuthorizedSession, accounts: str, account: dict[str, Any]) -> None:
    url = f"{accounts}/{account['email']}"
    assert session.post(f"{url}:disable", json={}).json() == {}
    assert session.get(url).json()["disabled"] is True
    assert session.post(f"{url}:enable", json={}).json() == {}
    assert "disabled" not in session.get(url).json()


def test_a_deleted_account_comes_back_by_its_unique_id(
    session: AuthorizedSession, accounts: str, account: dict[str, Any]
) -> None:
    never = session.get(f"{accounts}/never@example.iam.gserviceaccount.com").json()["error"]
    session.delete(f"{accounts}/{account['email']}")
    gone = session.get(f"{accounts}/{account['email']}").json()["error"]
    restored = session.post(f"{accounts}/{account['uniqueId']}:undelete", json={}).json()

    assert (never["message"], gone["message"]) == (
        "Unknown service account",
        f"Service account {account['name']} does not exist.",
    )
    assert gone["errors"] == [{"message": gone["message"], "domain": "global", "reason": "notFound"}]
    assert restored == {"restoredAccount": account}
    assert session.get(f"{accounts}/{account['email']}").json() == account


def test_lists_have_pages(session: AuthorizedSession, accounts: str) -> None:
    for number in range(3):
        session.post(accounts, json={"accountId": f"worker-{number}"})
    first = session.get(accounts, params={"pageSize": 2}).json()
    second = session.get(accounts, params={"pageSize": 2, "pageToken": first["nextPageToken"]}).json()

    names = [account["email"].partition("@")[0] for page in (first, second) for account in page["accounts"]]
    assert names == ["worker-0", "worker-1", "worker-2"]
    assert "nextPageToken" not in second


def test_a_key_is_a_credentials_file_that_the_client_library_takes(
    session: AuthorizedSession, accounts: str, account: dict[str, Any]
) -> None:
    keys = f"{accounts}/{account['email']}/keys"
    made = session.post(keys, json={}).json()
    file = json.loads(base64.b64decode(made["privateKeyData"]))
    credentials = service_account.Credentials.from_service_account_info(file)
    listed = session.get(keys).json()
    url = f"{IAM}/{made['name']}"
    public = session.get(url, params={"publicKeyType": "TYPE_X509_PEM_FILE"}).json()["publicKeyData"]

    assert credentials.service_account_email == account["email"]
    shown = {name: made[name] for name in made if not name.startswith("privateKey")}
    assert listed == {"keys": [shown]}
    assert session.get(url).json() == shown
    assert {
        name: made[name] for name in ("keyAlgorithm", "keyOrigin", "keyType", "privateKeyType", "validBeforeTime")
    } == {
        "keyAlgorithm": "KEY_ALG_RSA_2048",
        "keyOrigin": "GOOGLE_PROVIDED",
        "keyType": "USER_MANAGED",
        "privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE",
        "validBeforeTime": "9999-12-31T23:59:59Z",
    }
    certificate = x509.load_pem_x509_certificate(base64.b64decode(public))
    assert certificate.public_key() == load_pem_private_key(file["private_key"].encode(), None).public_key()
    uploaded = session.post(f"{keys}:upload", json={"publicKeyData": public}).json()
    assert uploaded["keyOrigin"] == "USER_PROVIDED"


def test_a_key_is_disabled_and_deleted(session: AuthorizedSession, accounts: str, account: dict[str, Any]) -> None:
    key = session.post(f"{accounts}/{account['email']}/keys", json={}).json()
    url = f"{IAM}/{key['name']}"
    session.post(f"{url}:disable", json={})
    assert session.get(url).json()["disabled"] is True
    session.post(f"{url}:enable", json={})
    assert "disabled" not in session.get(url).json()
    assert session.delete(url).json() == {}
    assert session.get(url).status_code == 404


def test_an_account_has_at_most_ten_keys(session: AuthorizedSession, accounts: str, account: dict[str, Any]) -> None:
    keys = f"{accounts}/{account['email']}/keys"
    fast = {"keyAlgorithm": "KEY_ALG_RSA_1024"}
    answers = [session.post(keys, json=fast).status_code for _ in range(11)]

    assert answers == [200] * 10 + [400]
    assert session.post(keys, json={"privateKeyType": "TYPE_PKCS12_FILE"}).status_code == 501
    assert session.post(f"{keys}:upload", json={"publicKeyData": "bm8="}).status_code == 400


def test_methods_that_are_not_here_are_refused_by_name(session: AuthorizedSession, accounts: str) -> None:
    for url in (
        f"{IAM}/roles",
        f"{IAM}/organizations/1/roles",
        "https://iam.googleapis.com/v2/policies/x/denypolicies",
    ):
        error = session.get(url).json()["error"]
        assert (error["code"], error["status"]) == (501, "UNIMPLEMENTED")
        assert url.removeprefix("https://iam.googleapis.com") in error["message"]


def test_a_new_account_is_not_known_everywhere_at_once(
    faulty: Connection, session: AuthorizedSession, accounts: str
) -> None:
    fault = {"kind": "not_found_yet", "service": "iam", "path": "*/serviceAccounts/*", "times": 2}
    faulty.add_fault(**fault)
    url = f"{accounts}/newcomer@{accounts.split('/')[5]}.iam.gserviceaccount.com"
    before = session.get(url)
    session.post(accounts, json={"accountId": "newcomer"}).raise_for_status()
    first, second, third = session.get(url), session.get(url), session.get(url)

    assert before.json()["error"]["message"] == "Unknown service account", "what is not there is no matter of time"
    assert [answer.status_code for answer in (first, second, third)] == [404, 404, 200]
    name = url.removeprefix(f"{IAM}/")
    assert second.json()["error"]["errors"][0] == {
        "message": f"Service account {name} does not exist.",
        "domain": "global",
        "reason": "notFound",
    }
