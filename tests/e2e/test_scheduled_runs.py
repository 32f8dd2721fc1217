"""A config's schedule starts the shipped spec twice as the local cloud's clock moves."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.waiting import wait_until
from vertex_vllm.cli import main
from vertex_vllm.project_names import default_bucket
from vertex_vllm.runs.engine import ENDED
from vertex_vllm.runs.run_listing import list_runs
from vertex_vllm.runs.schedule_calls import list_schedules

pytestmark = pytest.mark.parity("local cloud only")

REGION = "us-central1"


def put_model(cloud: Connection, directory: Path, model_id: str) -> None:
    """A repo with weights of a few bytes, in the form that the Hub checks."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    directory.mkdir()
    (directory / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (directory / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    cloud.admin("PUT", "/_local/hub/repos", {"id": model_id, "path": str(directory), "gated": False})


def test_a_config_s_schedule_runs_the_shipped_spec_at_each_of_its_times(
    cloud: Connection, ready_project: str, project: str, tmp_path: Path
) -> None:
    model_id = f"{project}/model"
    put_model(cloud, tmp_path / "model", model_id)
    clock = cloud.state_dir / "clock"
    now = datetime.now(UTC) + timedelta(seconds=int(clock.read_text()) if clock.exists() else 0)
    config = tmp_path / "hourly.yaml"
    config.write_text(
        f"name: hourly\nmodel:\n  id: {model_id}\nschedules:\n"
        f"  - name: copy\n    cron: {(now.minute + 30) % 60} * * * *\n    pipeline: mirror\n    max_run_count: 2\n"
    )
    main(["schedule", "apply", str(config), "--project", project])
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": 2 * 3600})

    wait_until(lambda: [run.state in ENDED for run in list_runs(project, REGION)] == [True, True])
    assert [run.state for run in list_runs(project, REGION)] == ["SUCCEEDED"] * 2
    (schedule,) = list_schedules(project, REGION)
    assert (schedule.state, schedule.started_runs, schedule.last_response) == ("COMPLETED", 2, "OK")
    assert [(run.deployment, run.pipeline) for run in list_runs(project, REGION)] == [("hourly", "mirror")] * 2
    mirrored = storage.Client(project=project).list_blobs(default_bucket(project, REGION))
    assert "model.safetensors" in {blob.name.rpartition("/")[2] for blob in mirrored}
