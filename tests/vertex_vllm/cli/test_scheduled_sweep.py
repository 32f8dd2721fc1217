"""An hourly sweep of a project starts, and removes the resources that have expired by then.

Parity: local cloud only; nothing of it has been checked on Google Cloud yet.
"""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.daemon import Connection
from tests.prepared import prepared
from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from tests.waiting import wait_until
from vertex_vllm.cli import main
from vertex_vllm.runs.engine import ENDED
from vertex_vllm.runs.run_listing import list_runs
from vertex_vllm.runs.schedule_calls import delete, list_schedules

pytestmark = pytest.mark.usefixtures("working")


@pytest.mark.slow
def test_an_hourly_sweep_takes_away_what_has_expired(
    cloud: Connection,
    in_vertex: Vertex,
    make_plan: MakePlan,
) -> None:
    clock = cloud.state_dir / "clock"
    now = datetime.now(UTC) + timedelta(seconds=int(clock.read_text()) if clock.exists() else 0)
    in_vertex.deploy(make_plan(), expires=now + timedelta(minutes=30))
    stays = in_vertex.deploy(make_plan(), expires=now + timedelta(days=30))
    project = prepared(in_vertex.project)
    main(["sweep", "--project", project, "--region", REGION, "--schedule", f"{(now.minute + 45) % 60} * * * *"])
    try:
        cloud.admin("PUT", "/_local/clock", {"advance_seconds": 3600})
        wait_until(lambda: [run.state in ENDED for run in list_runs(project, REGION)] == [True])
        (run,) = list_runs(project, REGION)
        assert (run.deployment, run.pipeline, run.state) == ("_project", "sweep", "SUCCEEDED")
        assert [endpoint.name for endpoint in in_vertex.endpoints()] == [stays]
    finally:
        for schedule in list_schedules(project, REGION):
            delete(schedule.resource_name)
