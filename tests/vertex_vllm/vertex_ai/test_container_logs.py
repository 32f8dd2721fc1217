"""The log of an endpoint's containers, read from Cloud Logging, and the error that a failed step makes of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import InvalidArgument, MethodNotImplemented, PermissionDenied
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

from localcloud.daemon import Connection
from tests.identity import acting_as
from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from vertex_vllm.cli import main
from vertex_vllm.diagnosis.deployed import diagnose_failure
from vertex_vllm.diagnosis.failed_step import diagnosed
from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import endpoint_resource_id
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.project_names import SERVING_ACCOUNT, account_email
from vertex_vllm.vertex_ai.container_logs import read_container_logs

TOKEN = "hf_" + "s" * 34
SAID = f"""\
(EngineCore_DP0 pid=27) ERROR 10-14 15:03:20 [core.py:708] ValueError: No available memory for the cache blocks. {TOKEN}
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}
"""


@pytest.fixture
def failing(make_plan: MakePlan, tmp_path: Path) -> ServingPlan:
    """Its container says why it cannot start, and ends."""
    said = tmp_path / "said"
    said.write_text(SAID)
    return make_plan(args=(f"--say={said}", "--exit=1"))


def test_a_failed_deploy_ends_with_the_cause_and_writes_it_down(
    in_vertex: Vertex, failing: ServingPlan, tmp_path: Path
) -> None:
    artifact, page = tmp_path / "diagnosis.json", tmp_path / "diagnosis.html"
    with pytest.raises(DeploymentError) as failed, diagnosed(str(artifact), str(page), "RUN"):
        in_vertex.deploy(failing)
    assert str(failed.value).count("\n") == 0
    assert "The weights leave no room for the KV cache (Vertex AI could not deploy" in str(failed.value)
    assert "vertex-vllm diagnose RUN" in str(failed.value)
    assert '"rule": "no_room_for_cache"' in artifact.read_text()
    assert "The weights leave no room for the KV cache" in page.read_text()
    assert TOKEN not in artifact.read_text() + page.read_text()


def test_a_deploy_that_succeeds_writes_nothing_down(in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path) -> None:
    artifact, page = tmp_path / "diagnosis.json", tmp_path / "diagnosis.html"
    with diagnosed(str(artifact), str(page)):
        in_vertex.deploy(make_plan())
    assert (artifact.read_text(), page.read_text()) == ("", "")


def test_requests_that_are_refused_are_explained_by_the_log_of_the_replica(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    begun, said = datetime.now(UTC) - timedelta(seconds=2), tmp_path / "said"
    load = (
        "Engine 000: Avg prompt throughput: 9.1 tokens/s, Running: 12 reqs, Waiting: 300 reqs, GPU KV cache usage: 97%"
    )
    said.write_text(f"INFO:     Application startup complete.\nINFO 11-30 12:50:01 [loggers.py:248] {load}\n")
    endpoint = in_vertex.deploy(make_plan(args=(f"--say={said}",)))
    found = diagnose_failure("HTTP 503: no healthy upstream", endpoint, begun)
    assert [cause.rule for cause in found.causes] == ["overloaded"]


def test_logs_are_read_by_endpoint_and_time(
    in_vertex: Vertex, failing: ServingPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=2)
    with pytest.raises(DeploymentError):
        in_vertex.deploy(failing)
    name = f"{in_vertex.parent}/endpoints/{endpoint_resource_id(failing.deployment, failing.served_id)}"
    (log,) = read_container_logs(name, begun)
    assert [line.partition(" ")[2] for line in log.lines][:2] == SAID.splitlines()
    # Later than any clock that tests have moved.
    assert read_container_logs(name, datetime(2999, 1, 1, tzinfo=UTC)) == ()
    assert read_container_logs(f"{name}x", begun) == ()
    main(["diagnose", name.rpartition("/")[2], "--project", in_vertex.project, "--region", REGION])
    assert "1. The weights leave no room for the KV cache" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["diagnose", f"{name}x"])
    assert "its containers wrote nothing" in capsys.readouterr().err


def test_what_cloud_logging_refuses_is_refused(cloud: Connection, in_vertex: Vertex) -> None:
    client, project = LoggingServiceV2Client(), f"projects/{in_vertex.project}"
    with pytest.raises(InvalidArgument):
        client.list_log_entries({"resource_names": []})
    with pytest.raises(InvalidArgument):
        client.list_log_entries({"resource_names": [project], "page_size": 1001})
    with pytest.raises(MethodNotImplemented):
        client.list_log_entries({"resource_names": [project], "filter": "severity>=ERROR"})
    with acting_as(cloud, account_email(SERVING_ACCOUNT, in_vertex.project)), pytest.raises(PermissionDenied):
        LoggingServiceV2Client().list_log_entries({"resource_names": [project]})


def test_pages_hold_every_line_once(in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path) -> None:
    said = tmp_path / "said"
    said.write_text("\n".join(f"line {number}" for number in range(2500)))
    with pytest.raises(DeploymentError):
        in_vertex.deploy(plan := make_plan(args=(f"--say={said}", "--exit=1")))
    endpoint = endpoint_resource_id(plan.deployment, plan.served_id)
    (log,) = read_container_logs(
        f"projects/{in_vertex.project}/locations/{REGION}/endpoints/{endpoint}", datetime.now(UTC) - timedelta(hours=1)
    )
    assert [line.partition(" ")[2] for line in log.lines if " line " in line] == said.read_text().splitlines()
