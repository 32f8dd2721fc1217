"""The project that calls are charged to: a person's to the named one, a service account's to its own."""

import json
import os
from pathlib import Path

import pytest

from vertex_vllm.google.quota_project import charge

VARIABLE = "GOOGLE_CLOUD_QUOTA_PROJECT"
PERSON = {
    "type": "authorized_user",
    "client_id": "id",
    "client_secret": "secret",
    "refresh_token": "token",
    "quota_project_id": "somewhere-else",
}


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "credentials.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv(VARIABLE, "")  # so that monkeypatch restores it
    return path


def test_a_person_s_calls_are_charged_to_the_project(credentials: Path) -> None:
    import google.auth

    credentials.write_text(json.dumps(PERSON))
    charge("some-project")
    assert os.environ[VARIABLE] == "some-project"
    assert google.auth.default()[0].quota_project_id == "some-project"


def test_what_the_environment_says_stays(credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.write_text(json.dumps(PERSON))
    monkeypatch.setenv(VARIABLE, "of-the-team")
    charge("some-project")
    assert os.environ[VARIABLE] == "of-the-team"


def test_without_credentials_nothing_happens(credentials: Path) -> None:
    charge("some-project")
    assert os.environ[VARIABLE] == ""


def test_an_account_s_calls_stay_its_own_project_s(credentials: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key": text}
    credentials.write_text(json.dumps({**account, "token_uri": "https://oauth2.googleapis.com/token"}))
    charge("some-project")
    assert os.environ[VARIABLE] == ""
