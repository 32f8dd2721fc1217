"""`submit --engine kfp`: the shipped specs through the real `kfp.Client`."""

import os
from pathlib import Path

import pytest
from kfp import Client

from localcloud.daemon import Connection
from tests.e2e.test_scheduled_runs import put_model
from tests.vertex_vllm.cli.documented_commands import commands_in, vertex_vllm
from vertex_vllm.runs.run_listing import list_runs

pytestmark = pytest.mark.parity("local cloud only")

REGION = "us-central1"


@pytest.fixture
def client(cloud: Connection) -> Client:
    return Client()


@pytest.fixture
def config(cloud: Connection, ready_project: str, project: str, tmp_path: Path) -> Path:
    put_model(cloud, tmp_path / "model", f"{project}/model")
    path = tmp_path / "small.yaml"
    path.write_text(f"name: {project}\nmodel:\n  id: {project}/model\n")
    return path


def test_the_page_s_command_runs_a_shipped_spec_and_waits(client: Client, config: Path, project: str) -> None:
    host = os.environ["KF_PIPELINES_ENDPOINT"]
    (command,) = commands_in("kubeflow.md", **{"CONFIG": str(config), "PROJECT": project, "http://HOST": host})
    answer = vertex_vllm(*command[1:])
    assert answer.returncode == 0, answer.stderr
    run_id = answer.stdout.strip()
    run = client.get_run(run_id)
    assert run.state == "SUCCEEDED"
    assert run.display_name.startswith(f"mirror-{project}-")
    assert client.get_experiment(experiment_id=run.experiment_id).display_name == project
    assert run.runtime_config.parameters["model_id"] == f"{project}/model"
    assert "mirror-weights" in answer.stderr
    assert list_runs(project, REGION) == ()


def test_a_run_that_fails_is_told_and_its_exit_handler_has_run(client: Client, config: Path, project: str) -> None:
    submit = ("submit", str(config), "--engine", "kfp", "--project", project, "--wait")
    answer = vertex_vllm(*submit, "--set", "revision=no-such-branch")
    assert answer.returncode == 1
    assert "error: FAILED: " in answer.stderr
    assert "no-such-branch" in answer.stderr
    run = client.get_run(answer.stdout.strip())
    states = {task.display_name: task.state for task in run.run_details.task_details}
    assert (states["validate-hf-token"], states["teardown-run"]) == ("FAILED", "SUCCEEDED")


def test_a_server_that_does_not_answer_is_named(cloud: Connection, config: Path, project: str) -> None:
    submit = ("submit", str(config), "--engine", "kfp", "--project", project)
    unused = "http://127.0.0.1:9"
    answer = vertex_vllm(*submit, "--host", unused)
    assert answer.returncode == 2
    assert f"error: {unused}: no Kubeflow Pipelines answers here" in answer.stderr
    elsewhere = vertex_vllm(*submit, "--host", f"{cloud.admin_url}/elsewhere", "--namespace", "team")
    assert elsewhere.returncode == 1
    assert "Kubeflow Pipelines answered 404" in elsewhere.stderr
