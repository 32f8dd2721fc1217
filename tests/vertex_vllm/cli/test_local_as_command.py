"""`vertex-vllm local as`: whose credential `local env` gives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from localcloud import daemon
from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import vertex_vllm


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """In `.local-cloud` of its folder, as the command expects it."""
    state_dir = tmp_path_factory.mktemp("as") / ".local-cloud"
    yield daemon.up(state_dir)
    daemon.down(state_dir)


def who_am_i(cloud: Connection) -> str:
    url = f"http://{cloud.environment['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts/default/email"
    return requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=20).text.strip()


def test_the_credential_is_another_person_s_until_it_is_the_owner_s_again(own_cloud: Connection) -> None:
    folder: Path = own_cloud.state_dir.parent
    switched = vertex_vllm("local", "as", "ada@example.com", cwd=folder)
    assert (switched.returncode, switched.stdout) == (0, "New clients act as ada@example.com\n")
    assert who_am_i(own_cloud) == "ada@example.com"
    token_file = Path(own_cloud.environment["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"])
    assert token_file.read_text() == own_cloud.access_token("ada@example.com")

    assert vertex_vllm("local", "as", cwd=folder).stdout == "New clients act as the owner of all projects\n"
    assert who_am_i(own_cloud) == "owner@localcloud.example"


def test_a_service_account_has_to_exist(own_cloud: Connection) -> None:
    nobody = "nobody@local-project.iam.gserviceaccount.com"
    refused = vertex_vllm("local", "as", nobody, cwd=own_cloud.state_dir.parent)
    assert refused.returncode == 2
    assert f"Service account {nobody} does not exist" in refused.stderr
    assert who_am_i(own_cloud) == "owner@localcloud.example"
