"""Where the Hub token is after runs that needed it, those that failed too: in the secret, and nowhere else."""

import pytest
from google.cloud import secretmanager

from localcloud.daemon import Connection
from tests.canary import Commands, files_holding
from tests.conftest import TEMPORARY
from tests.e2e.conftest import DemoProject, Served

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]


def test_the_token_is_nowhere_but_in_the_secret_store(
    cloud: Connection, demo_project: DemoProject, served_image: Served, commands: Commands
) -> None:
    """The last of these tests (conftest.py): all runs before it used the same cloud, most of them the same token.

    Specs, parameters, run folders, logs, artifacts and reports in the buckets: all lie in the local cloud's folder.
    """
    secret = f"projects/{demo_project.id}/secrets/hf-token/versions/latest"
    client = secretmanager.SecretManagerServiceClient()
    assert client.access_secret_version(name=secret).payload.data.decode() == demo_project.token
    found = set(files_holding(demo_project.token, cloud.state_dir))
    assert found
    assert {name for name in found if not name.startswith("secrets.db")} == set()
    assert files_holding(demo_project.token, TEMPORARY) == []
    assert commands.holding(demo_project.token) == []


def test_the_command_lines_of_steps_and_containers_have_been_seen(served_image: Served, commands: Commands) -> None:
    """Else the test above would have looked at nothing."""
    for program in ("validate_hf_token", "mirror_weights", "localcloud.pipelines.runner", "localcloud.container"):
        assert commands.holding(program), program
