"""Where the Hub token is after a run that needed it: in the secret, and nowhere else."""

import pytest
from google.cloud import secretmanager

from localcloud.daemon import Connection
from tests.canary import files_holding
from tests.e2e.conftest import DemoProject, Served

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]


def test_the_token_is_nowhere_but_in_the_secret_store(
    cloud: Connection, demo_project: DemoProject, served_image: Served
) -> None:
    """Specs, run folders, logs, artifacts and reports in the buckets, requests: all lie in the local cloud's folder."""
    secret = f"projects/{demo_project.id}/secrets/hf-token/versions/latest"
    client = secretmanager.SecretManagerServiceClient()
    assert client.access_secret_version(name=secret).payload.data.decode() == demo_project.token
    found = set(files_holding(demo_project.token, cloud.state_dir))
    assert found
    assert {name for name in found if not name.startswith("secrets")} == set()
