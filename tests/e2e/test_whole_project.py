"""A project from bootstrap to removal: each command runs as the account that calls it on Google Cloud, with IAM."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import aiplatform, storage

from localcloud.daemon import Connection
from tests.chaos.repository import write_repository
from tests.e2e.test_ci import Clone
from tests.vertex_vllm.cli.documented_commands import Answer
from tests.vertex_vllm.cli.documented_commands import vertex_vllm as run_command
from tests.vertex_vllm.served_models import TAGGED_IMAGE, teach
from tests.waiting import wait_until
from vertex_vllm.project_names import CI_ACCOUNT, PIPELINE_ACCOUNT, account_email
from vertex_vllm.runs.engine import ENDED
from vertex_vllm.runs.run_listing import list_runs

pytestmark = [pytest.mark.parity("local cloud only"), pytest.mark.slow]

REGION = "us-central1"
MORE = f"""  image: {TAGGED_IMAGE}
evaluation:
  suite: text-small
  items: 15
  baseline: none
  load: {{requests: 12}}
deploy_on_change: true
schedules:
  - {{name: copy, cron: "0 * * * *", pipeline: mirror, max_run_count: 1}}
"""


def succeed(*arguments: str | Path, cwd: Path) -> Answer:
    answer = run_command(*arguments, cwd=cwd)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def succeed_as(account: str, cloud: Connection, *arguments: str, cwd: Path) -> None:
    """Runs the command in a new process of the account, because clients keep the credential that they found first."""
    environment = {**os.environ, **cloud.environment_of(account), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "vertex_vllm", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
    assert (answer.returncode, "Traceback" in answer.stdout + answer.stderr) == (0, False), (
        answer.stdout + answer.stderr
    )


def states(project: str) -> list[tuple[str, str]]:
    """Pipeline and state of each run, the oldest first."""
    return [(run.pipeline, run.state) for run in reversed(list_runs(project, REGION))]


def test_each_command_is_allowed_what_it_does(cloud: Connection, project: str, tmp_path: Path) -> None:
    teach(cloud, TAGGED_IMAGE)
    write_repository(tmp_path / "model", large=False)
    cloud.admin("PUT", "/_local/hub/repos", {"id": f"{project}/m", "path": str(tmp_path / "model"), "gated": False})
    (tmp_path / "clone").mkdir()
    clone = Clone(tmp_path / "clone", f"{project}/m")
    place = ("--project", project, "--region", REGION)
    pipeline, ci = (account_email(name, project) for name in (PIPELINE_ACCOUNT, CI_ACCOUNT))

    succeed("bootstrap", *place, "--no-hf-token", cwd=clone.root)
    clone.write("one", MORE.rstrip())
    clone.commit()

    apply = ("ci", "apply", "--base", clone.base, "--project", project)
    succeed_as(ci, cloud, *apply, cwd=clone.root)
    config = clone.config("one")
    succeed("submit", config, "--pipeline", "mirror", "--project", project, "--wait", cwd=clone.root)
    succeed("schedule", "apply", config, "--project", project, cwd=clone.root)
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": 3600})
    wait_until(lambda: [state in ENDED for _, state in states(project)] == [True] * 3)
    succeed_as(pipeline, cloud, "sweep", "--project", project, "--delete", cwd=clone.root)
    succeed("submit", config, "--pipeline", "teardown", "--project", project, "--wait", cwd=clone.root)

    assert states(project) == [(name, "SUCCEEDED") for name in ("deploy", "mirror", "mirror", "teardown")]
    jobs = aiplatform.PipelineJob.list(project=project, location=REGION)
    assert {job.gca_resource.service_account for job in jobs} == {pipeline}
    assert aiplatform.Endpoint.list(project=project, location=REGION) == []
    (recorded,) = aiplatform.ExperimentRun.list(experiment="one-evaluations", project=project, location=REGION)
    assert (recorded.get_state(), recorded.get_params()["model"]) == ("COMPLETE", f"{project}/m")
    succeed("bootstrap", *place, "--remove", "--delete-data", "--yes", cwd=clone.root)
    assert [bucket.name for bucket in storage.Client(project=project).list_buckets()] == []
