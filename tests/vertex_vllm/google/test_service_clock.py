"""Ages and expiry by the clock of the services, which also dates their resources."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import vertex_vllm
from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from vertex_vllm.google.service_clock import service_clock

pytestmark = pytest.mark.usefixtures("working")
SECONDS = timedelta(seconds=5)


def cloud_time(cloud: Connection) -> datetime:
    return datetime.fromisoformat(cloud.admin("GET", "/_local/status")["time"])


def test_the_clock_is_that_of_cloud_storage(cloud: Connection) -> None:
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": 7200})
    assert abs(service_clock()() - cloud_time(cloud)) < SECONDS


def test_without_an_answer_the_clock_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert abs(service_clock()() - datetime.now(UTC)) < SECONDS


def test_a_sweep_by_hand_finds_what_has_expired_by_the_clock_that_was_moved(
    cloud: Connection, in_vertex: Vertex, make_plan: MakePlan
) -> None:
    expires = cloud_time(cloud) + timedelta(minutes=30)
    name = in_vertex.deploy(make_plan(), expires=expires)
    swept = ("sweep", "--project", in_vertex.project, "--region", REGION)
    assert name not in vertex_vllm(*swept).stdout
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": 3700})
    assert name in vertex_vllm(*swept).stdout
    listed = vertex_vllm("inventory", "--project", in_vertex.project, "--region", REGION)
    assert re.search(r" 1 h \d min ", listed.stdout), listed.stdout
    assert listed.stderr.endswith(f"Looked at project {in_vertex.project}, region {REGION}\n")
