"""One set of credentials and one client of each kind for as long as the environment names the same account."""

import json
from pathlib import Path

import pytest
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.secretmanager_v1 import SecretManagerServiceClient

from localcloud.daemon import Connection
from tests.accounts import grant, make_account
from tests.identity import acting_as
from vertex_vllm.errors import SecretAccessError
from vertex_vllm.google.secret_manager import read_secret
from vertex_vllm.google.shared_clients import default_credentials, google_client
from vertex_vllm.google.storage_client import storage_client

KEY = {"type": "authorized_user", "client_id": "id", "client_secret": "secret", "refresh_token": "token"}


def test_clients_share_what_the_environment_names(cloud: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    first, client = default_credentials(), google_client(SecretManagerServiceClient)
    assert default_credentials() is first
    assert google_client(SecretManagerServiceClient) is client
    assert google_client(SecretManagerServiceClient, "secretmanager.us-central1.rep.googleapis.com") is not client
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "another-project")
    assert default_credentials() is not first
    assert default_credentials().quota_project_id == "another-project"
    assert google_client(SecretManagerServiceClient) is not client


def test_another_file_names_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps(KEY))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert default_credentials().client_id == "id"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(DefaultCredentialsError, match="none"):
        default_credentials()


def test_another_account_of_the_same_environment_is_found_after_forgetting(cloud: Connection, project: str) -> None:
    google_client(SecretManagerServiceClient)  # the owner's
    account = make_account(project, "nobody")
    secret = f"projects/{project}/secrets/x/versions/1"
    with acting_as(cloud, account), pytest.raises(SecretAccessError, match="may not read it"):
        read_secret(secret)
    grant(project, "roles/secretmanager.secretAccessor", account)
    with acting_as(cloud, account), pytest.raises(SecretAccessError, match="not found"):
        read_secret(secret)


def test_a_server_in_the_place_of_cloud_storage_gets_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/none.json")
    assert storage_client("").project == "none"
