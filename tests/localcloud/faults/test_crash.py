"""The local cloud itself crashes at a call, and continues from its state."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from localcloud import daemon
from localcloud.core.callers import OWNER
from localcloud.daemon import Connection
from tests.localcloud.services.vertex.echo_deployments import ECHO_ROW, containers_of
from tests.localcloud.services.vertex.restart_scripts import ASK, DEPLOY, run
from tests.waiting import wait_until

SEE_WHAT_WAS_RUNNING = """
print(sorted({operation.error.message for endpoint in clients.endpoints.list_endpoints(parent=parent)
    for operation in clients.endpoints.list_operations({"name": endpoint.name}).operations if operation.error.message}))
"""


@pytest.fixture
def own_cloud(tmp_path: Path) -> Iterator[Connection]:
    (tmp_path / "images.yaml").write_text(yaml.safe_dump({"images": [ECHO_ROW]}))
    yield daemon.up(tmp_path)
    daemon.down(tmp_path)


def owner(cloud: Connection) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {cloud.access_token(OWNER)}"
    return session


def put(cloud: Connection, path: str) -> None:
    session = owner(cloud)
    session.put(f"{cloud.environment['API_ENDPOINT_OVERRIDE']}/{path}", data=b"x").raise_for_status()


def names(cloud: Connection, bucket: str) -> list[str]:
    session = owner(cloud)
    listed = session.get(f"{cloud.environment['API_ENDPOINT_OVERRIDE']}/storage/v1/b/{bucket}/o").json()
    return [item["name"] for item in listed.get("items", [])]


def create_bucket(cloud: Connection, bucket: str) -> None:
    session = owner(cloud)
    url = f"{cloud.environment['API_ENDPOINT_OVERRIDE']}/storage/v1/b?project=p"
    session.post(url, json={"name": bucket}).raise_for_status()


@pytest.mark.slow
@pytest.mark.parametrize(("when", "kept"), [("before", ["first"]), ("after", ["first", "second"])])
def test_a_crash_over_http_keeps_what_was_executed(own_cloud: Connection, when: str, kept: list[str]) -> None:
    create_bucket(own_cloud, "survivors")
    own_cloud.add_fault(service="storage", method="PUT", kind="crash", when=when, nth=2)
    put(own_cloud, "survivors/first")
    with pytest.raises(requests.ConnectionError):
        put(own_cloud, "survivors/second")
    wait_until(lambda: daemon.status(own_cloud.state_dir) is None)
    again = daemon.up(own_cloud.state_dir)
    assert again.pid != own_cloud.pid
    assert names(again, "survivors") == kept
    assert again.faults() == []


@pytest.mark.slow
def test_after_a_crash_deployed_models_come_back_and_operations_have_failed(own_cloud: Connection) -> None:
    name = run(DEPLOY, own_cloud)
    (before,) = containers_of(name)
    own_cloud.add_fault(service="vertex", rpc="GetEndpoint", kind="crash", when="before")
    run(
        f"try: clients.endpoints.get_endpoint(name={name!r}, timeout=10, retry=None)\nexcept Exception: pass", own_cloud
    )
    wait_until(lambda: daemon.status(own_cloud.state_dir) is None and containers_of(name) == [])
    again = daemon.up(own_cloud.state_dir)
    stopped = "The local cloud was stopped while this was running."
    assert run(SEE_WHAT_WAS_RUNNING, again) == f"['{stopped}']"
    assert run(ASK, again) == "echo 0"
    (after,) = containers_of(name)
    assert after != before
