"""Secret Manager as its own client sees it, over both of its transports."""

from collections.abc import Iterator

import google_crc32c
import pytest
from google.api_core import exceptions
from google.cloud import secretmanager_v1
from google.cloud.secretmanager_v1.types import SecretPayload, SecretVersion

from localcloud.daemon import Connection

_AUTOMATIC = {"replication": {"automatic": {}}}
Client = secretmanager_v1.SecretManagerServiceClient


@pytest.fixture(params=["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest, cloud: Connection) -> Iterator[Client]:
    with Client(transport=request.param) as made:
        yield made


@pytest.fixture
def secret(client: Client, project: str) -> str:
    return client.create_secret(parent=f"projects/{project}", secret_id="token", secret=_AUTOMATIC).name


def test_a_payload_comes_back_with_its_checksum(client: Client, secret: str, project: str) -> None:
    data = b"not text: \x00\xff"
    version = client.add_secret_version(
        parent=secret, payload=SecretPayload(data=data, data_crc32c=google_crc32c.value(data))
    )
    assert version.name == f"{secret}/versions/1"
    response = client.access_secret_version(name=f"projects/{project}/secrets/token/versions/latest")
    assert response.name == version.name
    assert response.payload == SecretPayload(data=data, data_crc32c=google_crc32c.value(data))


def test_latest_is_the_newest_version(client: Client, secret: str) -> None:
    for data in (b"first", b"second"):
        client.add_secret_version(parent=secret, payload={"data": data})
    assert client.access_secret_version(name=f"{secret}/versions/latest").payload.data == b"second"
    assert client.access_secret_version(name=f"{secret}/versions/1").payload.data == b"first"
    assert [version.name for version in client.list_secret_versions(parent=secret)] == [
        f"{secret}/versions/2",
        f"{secret}/versions/1",
    ]


def test_a_wrong_checksum_is_refused_and_stores_nothing(client: Client, secret: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="checksum"):
        client.add_secret_version(parent=secret, payload={"data": b"payload", "data_crc32c": 1})
    assert list(client.list_secret_versions(parent=secret)) == []


def test_a_disabled_version_is_not_given_until_it_is_enabled(client: Client, secret: str) -> None:
    version = client.add_secret_version(parent=secret, payload={"data": b"payload"})
    assert client.disable_secret_version(name=version.name).state == SecretVersion.State.DISABLED
    with pytest.raises(exceptions.BadRequest, match="is in DISABLED state"):
        client.access_secret_version(name=version.name)
    client.enable_secret_version(name=version.name)
    assert client.access_secret_version(name=version.name).payload.data == b"payload"


def test_a_destroyed_payload_is_gone_from_disk(client: Client, secret: str, cloud: Connection) -> None:
    payload = b"unmistakable-" + secret.encode().replace(b"/", b"-")
    version = client.add_secret_version(parent=secret, payload={"data": payload})
    assert _files_with(cloud, payload) == {"secrets.db"}
    destroyed = client.destroy_secret_version(name=version.name)
    assert destroyed.state == SecretVersion.State.DESTROYED
    assert _files_with(cloud, payload) == set()
    with pytest.raises(exceptions.BadRequest, match="is in DESTROYED state"):
        client.enable_secret_version(name=version.name)


def test_secrets_are_readable_by_their_owner_alone(cloud: Connection) -> None:
    assert (cloud.state_dir / "secrets.db").stat().st_mode & 0o077 == 0


def test_what_is_not_there_is_told_as_google_tells_it(client: Client, secret: str, project: str) -> None:
    number = secret.split("/")[1]
    with pytest.raises(exceptions.NotFound, match=rf"Secret \[projects/{number}/secrets/token\] not found or has no"):
        client.access_secret_version(name=f"{secret}/versions/latest")
    client.add_secret_version(parent=secret, payload={"data": b"payload"})
    with pytest.raises(exceptions.NotFound, match=rf"Secret Version \[{secret}/versions/7\] not found"):
        client.access_secret_version(name=f"{secret}/versions/7")
    with pytest.raises(exceptions.NotFound, match=r"Secret \[.*/other\] not found"):
        client.get_secret(name=f"projects/{project}/secrets/other")


def test_a_secret_is_made_once(client: Client, secret: str, project: str) -> None:
    with pytest.raises(exceptions.Conflict, match="already exists"):
        client.create_secret(parent=f"projects/{project}", secret_id="token", secret=_AUTOMATIC)
    assert [found.name for found in client.list_secrets(parent=f"projects/{project}")] == [secret]


def test_deleting_a_secret_deletes_its_versions(client: Client, secret: str, project: str) -> None:
    client.add_secret_version(parent=secret, payload={"data": b"old"})
    client.delete_secret(name=secret)
    client.create_secret(parent=f"projects/{project}", secret_id="token", secret=_AUTOMATIC)
    client.add_secret_version(parent=secret, payload={"data": b"new"})
    assert client.access_secret_version(name=f"{secret}/versions/1").payload.data == b"new"


def test_labels_are_found_by_a_filter_and_changed_by_a_mask(client: Client, secret: str, project: str) -> None:
    client.update_secret(secret={"name": secret, "labels": {"team": "red"}}, update_mask={"paths": ["labels"]})
    parent = f"projects/{project}"
    assert [s.name for s in client.list_secrets(request={"parent": parent, "filter": "labels.team=red"})] == [secret]
    assert list(client.list_secrets(request={"parent": parent, "filter": "labels.team=blue"})) == []


def test_a_denied_permission_is_told_with_its_name(client: Client, secret: str, cloud: Connection) -> None:
    client.add_secret_version(parent=secret, payload={"data": b"payload"})
    denial = {"permission": "secretmanager.versions.access", "resource": secret}
    cloud.admin("PUT", "/_local/denials", {**denial, "denied": True})
    with pytest.raises(exceptions.Forbidden, match=r"Permission 'secretmanager\.versions\.access' denied"):
        client.access_secret_version(name=f"{secret}/versions/1")
    cloud.admin("PUT", "/_local/denials", {**denial, "denied": False})
    assert client.access_secret_version(name=f"{secret}/versions/1").payload.data == b"payload"


def _files_with(cloud: Connection, text: bytes) -> set[str]:
    """Names of the state's files that hold `text`; a database's journal counts as the database."""
    files = (path for path in cloud.state_dir.rglob("*") if path.is_file())
    return {path.name.removesuffix("-wal") for path in files if text in path.read_bytes()}


def test_a_lifetime_becomes_the_time_of_expiry(client: Client, project: str) -> None:
    parent = f"projects/{project}"
    made = client.create_secret(parent=parent, secret_id="short-lived", secret={**_AUTOMATIC, "ttl": {"seconds": 3600}})
    assert (made.expire_time - made.create_time).total_seconds() == pytest.approx(3600, abs=60)
    assert "ttl" not in made
    longer = {"name": made.name, "ttl": {"seconds": 7200}}
    changed = client.update_secret(secret=longer, update_mask={"paths": ["ttl"]})
    assert changed.expire_time > made.expire_time


def test_a_mask_may_name_a_part_of_a_field(client: Client, project: str) -> None:
    rotation = {"next_rotation_time": "2030-01-01T00:00:00Z", "rotation_period": {"seconds": 86400}}
    fields = {**_AUTOMATIC, "rotation": rotation, "topics": [{"name": f"projects/{project}/topics/t"}]}
    made = client.create_secret(parent=f"projects/{project}", secret_id="turned", secret=fields)
    later = {"name": made.name, "rotation": {"next_rotation_time": "2031-01-01T00:00:00Z"}}
    changed = client.update_secret(secret=later, update_mask={"paths": ["rotation.next_rotation_time"]})
    assert (changed.rotation.next_rotation_time.year, changed.rotation.rotation_period.days) == (2031, 1)
    with pytest.raises(exceptions.BadRequest, match=r"replication\.automatic"):
        client.update_secret(secret=later, update_mask={"paths": ["replication.automatic"]})
