"""Secrets, read by the real client."""

import logging
import re
from typing import Any

import pytest
from google.cloud.secretmanager_v1 import SecretManagerServiceClient

from vertex_vllm.errors import SecretAccessError, ServiceError, TokenInvalidError, TokenMissingError
from vertex_vllm.google.secret_manager import pinned, read_secret
from vertex_vllm.hub import hub_token

CANARY = "hf_canaryCanaryCanary"


@pytest.fixture
def client(cloud: Any) -> SecretManagerServiceClient:
    return SecretManagerServiceClient()


def store(client: SecretManagerServiceClient, project: str, value: bytes) -> str:
    """A secret with one version; returns the version's name."""
    parent = f"projects/{project}"
    secret = client.create_secret(parent=parent, secret_id="hf-token", secret={"replication": {"automatic": {}}})
    client.add_secret_version(parent=secret.name, payload={"data": value})
    return f"{parent}/secrets/hf-token/versions/latest"


def test_a_secret_is_read_and_never_logged(
    client: SecretManagerServiceClient, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = store(client, project, f"{CANARY}\n".encode())
    with caplog.at_level(logging.DEBUG):
        assert read_secret(name) == f"{CANARY}\n"
        assert hub_token(name) == CANARY
    assert CANARY not in caplog.text


def test_a_version_by_number(client: SecretManagerServiceClient, project: str) -> None:
    name = store(client, project, b"first")
    client.add_secret_version(parent=name.partition("/versions/")[0], payload={"data": b"second"})
    assert read_secret(name.replace("latest", "1")) == "first"
    assert read_secret(name) == "second"


def test_no_secret_is_no_token() -> None:
    assert hub_token("") is None


@pytest.mark.parametrize("value", [b" ", b"\n"])
def test_a_secret_of_white_space_is_no_token(client: SecretManagerServiceClient, project: str, value: bytes) -> None:
    with pytest.raises(TokenMissingError, match="white space"):
        hub_token(store(client, project, value))


def test_two_lines_are_no_token(client: SecretManagerServiceClient, project: str) -> None:
    with pytest.raises(TokenInvalidError) as raised:
        hub_token(store(client, project, f"{CANARY}\nsecond".encode()))
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (f"\ufeff{CANARY}", "begins with a byte order mark"),
        (f'"{CANARY}"', "is in quotation marks"),
        (f"'{CANARY}'", "is in quotation marks"),
        (f"HF_TOKEN={CANARY}", "begins with the name of a variable"),
        (f"export HF_TOKEN={CANARY}", "begins with the name of a variable"),
        (f"Bearer {CANARY}", "begins with Bearer"),
        (f'{{"token": "{CANARY}"}}', "is JSON"),
        (f"{CANARY}\0", "is empty, or holds a space, a line break or a non-ASCII character"),
    ],
)
def test_a_secret_that_holds_something_else_is_told_by_its_kind(
    client: SecretManagerServiceClient, project: str, value: str, fault: str
) -> None:
    with pytest.raises(TokenInvalidError, match=f"the Hugging Face token {fault}") as raised:
        hub_token(store(client, project, value.encode()))
    assert CANARY not in str(raised.value)


def test_a_value_too_long_for_a_token_is_refused_before_its_forms_are_remembered(
    client: SecretManagerServiceClient, project: str
) -> None:
    with pytest.raises(TokenInvalidError, match="has 63000 characters"):
        hub_token(store(client, project, CANARY.encode() * 3000))


def test_a_secret_of_another_encoding_is_told_as_such(client: SecretManagerServiceClient, project: str) -> None:
    with pytest.raises(SecretAccessError, match="the value is in UTF-16"):
        read_secret(store(client, project, CANARY.encode("utf-16")))


def test_bytes_are_no_text(client: SecretManagerServiceClient, project: str) -> None:
    with pytest.raises(SecretAccessError, match="not text"):
        read_secret(store(client, project, b"\xff\xff"))


@pytest.mark.parametrize(
    "name", [CANARY, "projects/p/secrets/s", "projects/p/secrets/s/versions/", "projects/p/secrets/a b/versions/1"]
)
def test_what_is_no_name_is_not_told_for_it_may_be_the_token(name: str) -> None:
    with pytest.raises(SecretAccessError, match="projects/PROJECT/secrets/SECRET/versions/latest") as raised:
        read_secret(name)
    assert name not in f"{raised.value!s} {raised.value!r}"


def test_no_such_secret(cloud: Any, project: str) -> None:
    with pytest.raises(SecretAccessError, match=r"not found or has no versions.*gcloud secrets create nothing"):
        read_secret(f"projects/{project}/secrets/nothing/versions/latest")


def test_a_secret_without_a_version_is_given_one(cloud: Any, client: SecretManagerServiceClient, project: str) -> None:
    client.create_secret(parent=f"projects/{project}", secret_id="empty", secret={"replication": {"automatic": {}}})
    with pytest.raises(SecretAccessError, match=r"has no versions.*gcloud secrets versions add empty --data-file=-"):
        read_secret(f"projects/{project}/secrets/empty/versions/latest")


def test_a_version_that_is_not_there(cloud: Any, client: SecretManagerServiceClient, project: str) -> None:
    name = store(client, project, b"value")
    with pytest.raises(SecretAccessError, match=r"Version .* not found.*gcloud secrets versions list hf-token"):
        read_secret(f"{name.rpartition('/')[0]}/7")


def test_no_permission_names_the_grant(local: Any, client: SecretManagerServiceClient, project: str) -> None:
    name = store(client, project, b"value")
    local.deny("secretmanager.versions.access", f"projects/{project}")
    with pytest.raises(SecretAccessError) as raised:
        read_secret(name)
    assert f"add-iam-policy-binding hf-token --project={project}" in str(raised.value)
    assert "--role=roles/secretmanager.secretAccessor" in str(raised.value)


def test_the_grant_names_whom_google_takes_us_for(
    local: Any, client: SecretManagerServiceClient, project: str, cloud: Any
) -> None:
    name = store(client, project, b"value")
    local.deny("secretmanager.versions.get", f"projects/{project}")
    with pytest.raises(SecretAccessError) as raised:
        pinned(name)
    assert re.search(r"--member=serviceAccount:\S+@\S+ --role=roles/secretmanager.viewer$", raised.value.fix)


@pytest.mark.parametrize("version", ["latest", "2"])
def test_a_version_is_pinned_to_its_number_without_a_look_at_its_value(
    local: Any, client: SecretManagerServiceClient, project: str, version: str
) -> None:
    name = store(client, project, b"first")
    client.add_secret_version(parent=name.partition("/versions/")[0], payload={"data": b"second"})
    local.deny("secretmanager.versions.access", f"projects/{project}")
    assert pinned(name.replace("latest", version)) == name.replace("latest", "2")


def test_no_secret_and_no_name_stay_as_they_are() -> None:
    assert [pinned(""), pinned("not a name")] == ["", "not a name"]


def test_a_secret_that_is_not_there_cannot_be_pinned(cloud: Any, project: str) -> None:
    with pytest.raises(SecretAccessError, match="gcloud secrets create nothing"):
        pinned(f"projects/{project}/secrets/nothing/versions/latest")


def test_a_disabled_version(client: SecretManagerServiceClient, project: str) -> None:
    name = store(client, project, b"value")
    client.disable_secret_version(name=name.replace("latest", "1"))
    enable = rf"gcloud secrets versions enable 1 --secret=hf-token --project={project}"
    for wanted in (name, name.replace("latest", "1")):
        with pytest.raises(SecretAccessError, match=rf"DISABLED.*{enable}"):
            read_secret(wanted)


def test_the_value_of_a_destroyed_version_does_not_come_back(client: SecretManagerServiceClient, project: str) -> None:
    name = store(client, project, b"value")
    client.destroy_secret_version(name=name.replace("latest", "1"))
    for wanted in (name, name.replace("latest", "1")):
        with pytest.raises(SecretAccessError, match=r"DESTROYED.*gcloud secrets versions add hf-token") as raised:
            read_secret(wanted)
        assert "nable" not in raised.value.fix


OFF = (
    "Secret Manager API has not been used in project 42 before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/secretmanager.googleapis.com/overview?project=42 then retry."
)


@pytest.mark.parametrize(
    ("code", "message", "kind", "fix"),
    [
        (
            "PERMISSION_DENIED",
            OFF,
            ServiceError,
            "Run `gcloud services enable secretmanager.googleapis.com --project=42`, wait a minute, try again.",
        ),
        (
            "PERMISSION_DENIED",
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc",
            SecretAccessError,
            "",
        ),
        ("PERMISSION_DENIED", "This API method requires billing to be enabled.", SecretAccessError, ""),
        ("FAILED_PRECONDITION", "Cloud KMS key projects/p/keys/k is disabled.", SecretAccessError, ""),
        ("INVALID_ARGUMENT", "The alias is not one of this secret.", SecretAccessError, ""),
    ],
)
def test_advice_follows_what_secret_manager_says(
    code: str,
    message: str,
    kind: type[Exception],
    fix: str,
    client: SecretManagerServiceClient,
    project: str,
    faulty: Any,
) -> None:
    name = store(client, project, b"value")
    faulty.add_fault(kind="error", service="secret-manager", code=code, message=message, times=None)
    for read in (read_secret, pinned):
        with pytest.raises(kind) as raised:
            read(name)
        assert (message in raised.value.message, raised.value.fix) == (True, fix)


def test_a_secret_of_one_location_is_called_that(project: str) -> None:
    name = f"projects/{project}/locations/us-central1/secrets/hf-token/versions/latest"
    for read in (read_secret, pinned):
        with pytest.raises(SecretAccessError, match="regional secret of us-central1") as raised:
            read(name)
        assert "--replication-policy=user-managed --locations=us-central1" in raised.value.fix
