"""After runs that needed the Hub token, failed ones too, the token is in the secret and nowhere else."""

from pathlib import Path

import pytest
from google.cloud import secretmanager, storage

from localcloud.daemon import Connection
from localcloud.services.hosts import ROUTES
from tests.canary import Commands, files_holding
from tests.demo_project import REGION, DemoProject, Served
from vertex_vllm.project_names import default_bucket

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]


def test_the_token_is_nowhere_but_in_the_secret_store(
    cloud: Connection, demo_project: DemoProject, served_image: Served, commands: Commands, temporary_files: Path
) -> None:
    """The last of these tests (tests/distribution.py): all runs before it used the same cloud and the same token.

    Specs, parameters, run folders, logs, artifacts and reports in the buckets: all are in the local cloud's folder.
    """
    secret = f"projects/{demo_project.id}/secrets/hf-token/versions/latest"
    client = secretmanager.SecretManagerServiceClient()
    assert client.access_secret_version(name=secret).payload.data.decode() == demo_project.token
    found = set(files_holding(demo_project.token, cloud.state_dir))
    assert found
    assert {name for name in found if not name.startswith("secrets.db")} == set()
    assert files_holding(demo_project.token, temporary_files) == []
    assert commands.holding(demo_project.token) == []


def test_no_service_but_the_hub_is_sent_the_token(faulty: Connection, demo_project: DemoProject) -> None:
    """Faults count the requests with the token: a client that follows a redirect of the Hub could send it along."""
    others = {route.app for route in ROUTES} - {"hub", "secret-manager"} | {"content-network", "metadata"}
    for service in ("hub", *sorted(others)):
        where = {"service": service, "headers": {"authorization": f"*{demo_project.token}*"}}
        faulty.add_fault(kind="latency", latency_seconds=0.001, times=None, **where)
    # Deletes earlier mirrors, so that the run requests every byte.
    mirrored = storage.Client(project=demo_project.id).bucket(default_bucket(demo_project.id, REGION))
    mirrored.delete_blobs(list(mirrored.list_blobs(prefix=f"models/{demo_project.gated}/")))
    run = demo_project.run("mirror", demo_project.deployment("smollm2-135m-idefics3"))
    assert run.state == "SUCCEEDED", run.error
    hub, *rest = faulty.faults()
    assert hub["met"] > 0
    assert [fault["service"] for fault in rest if fault["met"]] == []


def test_the_command_lines_of_containers_have_been_seen(served_image: Served, commands: Commands) -> None:
    """Otherwise the test above would have searched nothing. Steps are forked here; a demo's have command lines."""
    assert commands.holding("vertex_vllm.local.container")
