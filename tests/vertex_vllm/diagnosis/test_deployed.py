"""An endpoint is diagnosed from its containers' logs and from the end of its deploy."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.vertex_vllm.served_models import NEVER_READY, MakePlan, Vertex, in_vertex, make_plan
from vertex_vllm.diagnosis.deployed import diagnose_endpoint
from vertex_vllm.errors import DeploymentError

__all__ = ["in_vertex", "make_plan"]

READY = (
    "(APIServer pid=1) INFO:     Starting vLLM server on http://0.0.0.0:8080\nINFO:     Application startup complete."
)


def test_a_deploy_that_timed_out_with_a_ready_server_says_so(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path
) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since = datetime.now(UTC)
    with pytest.raises(DeploymentError) as raised:
        in_vertex.deploy(make_plan(args=(NEVER_READY, f"--say={said}")), deadline_seconds=3)
    found = diagnose_endpoint(raised.value.where, since)
    assert (found.outcome, [cause.rule for cause in found.causes]) == ("failed", ["ready_too_late"])
    assert "The deploy ended at 20" in found.causes[0].explanation


def test_an_endpoint_that_serves_is_left_to_its_log(in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path) -> None:
    said = tmp_path / "log.txt"
    said.write_text(READY)
    since = datetime.now(UTC)
    endpoint = in_vertex.deploy(make_plan(args=(f"--say={said}",)))
    found = diagnose_endpoint(endpoint, since)
    assert (found.outcome, found.causes) == ("serving", ())
