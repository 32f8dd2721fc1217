"""`vertex-vllm doctor`: one line for each thing that a run needs, with its remedy; and shells of local clouds."""

import json
import socket
from pathlib import Path
from typing import Any

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import vertex_vllm
from vertex_vllm.cli.local_shell import complaint_about_shell, local_state_of_shell

REGION = "us-central1"


def findings(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    answer = vertex_vllm("doctor", *arguments, "--json")
    return answer.returncode, json.loads(answer.stdout)


def test_a_project_that_bootstrap_has_made_ready_has_no_problem(ready_project: str) -> None:
    code, found = findings("--project", ready_project)
    assert (code, [finding["words"] for finding in found if not finding["ok"]]) == (0, [])
    names = ["shell", "credentials", "project", "bootstrap", "image", "hub", "quota"]
    assert [finding["check"] for finding in found] == names


def test_each_thing_that_a_new_project_lacks_has_its_command(project: str, tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("name: x\nmodel: {id: no-such-owner/no-such-model}\n")
    code, found = findings(config, "--project", project)
    problems = {finding["check"] for finding in found if not finding["ok"]}
    assert (code, {"bootstrap", "image"} <= problems) == (1, True)
    command = f"vertex-vllm bootstrap --project {project} --region {REGION}"
    assert all(command in f["words"] for f in found if f["check"] == "image" or "not enabled" in f["words"])
    lines = vertex_vllm("doctor", config, "--project", project).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok" if finding["ok"] else "problem", finding["check"]] for finding in found
    ]


def test_a_public_model_needs_no_token(cloud: Connection, project: str, tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("name: x\nmodel: {id: no-such-owner/no-such-model}\n")
    _, found = findings(config, "--project", project)
    (told,) = [finding["words"] for finding in found if finding["check"] == "hub"]
    assert "has no such model" in told


def test_a_model_that_the_local_hub_lacks_is_put_there_by_a_command(cloud: Connection, tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("name: x\nmodel: {id: no-such-owner/no-such-model}\n")
    answer = vertex_vllm("plan", config)
    error, note = answer.stderr.splitlines()
    assert (answer.returncode, cloud.environment["HF_ENDPOINT"] in error) == (2, True)
    assert f"vertex-vllm local hub no-such-owner/no-such-model --from FOLDER --state {cloud.state_dir}" in note


def test_a_shell_of_a_local_cloud_that_is_down_is_told_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shell = {
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(tmp_path / "run" / "access-token"),
            "GCE_METADATA_HOST": "127.0.0.1:1/key",
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
        }
        assert local_state_of_shell(shell) == tmp_path
        assert complaint_about_shell(shell) == ""
    complaint = complaint_about_shell(shell)
    assert f"vertex-vllm local up --state {tmp_path}" in complaint
    assert "vertex-vllm local env --unset" in complaint
    assert (local_state_of_shell({}), complaint_about_shell({})) == (None, "")


def test_the_status_of_a_local_cloud_is_a_summary(cloud: Connection) -> None:
    answer = vertex_vllm("local", "status", "--state", cloud.state_dir)
    labels = [line[:11].strip() for line in answer.stdout.splitlines()]
    kinds = ["State", "Folder", "Project", "Clock", "Hub", "Models", "Endpoints", "Runs", "Logs"]
    assert [label for label in labels if label] == kinds
    assert f"Folder     {cloud.state_dir}\n" in answer.stdout


def test_a_local_cloud_that_is_down_is_started_with_the_options_that_were_given(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for command in ("env", "clock --advance-seconds 1", "hub --list"):
        answer = vertex_vllm("local", *command.split(), "--state", state)
        assert (answer.returncode, f"vertex-vllm local up --state {state}" in answer.stderr) == (2, True)
    status = vertex_vllm("local", "status", "--state", state)
    assert (status.returncode, f"vertex-vllm local up --state {state}" in status.stderr) == (1, True)


def test_a_shell_leaves_the_local_cloud_by_one_line(cloud: Connection) -> None:
    answer = vertex_vllm("local", "env", "--unset")
    assert set(answer.stdout.split()[1:]) == set(cloud.environment)


def test_models_of_the_local_hub_are_listed(cloud: Connection, tmp_path: Path) -> None:
    for words in (("some-owner/open-model",), ("some-owner/gated-model", "--gated")):
        answer = vertex_vllm("local", "hub", *words, "--from", tmp_path, "--state", cloud.state_dir)
        assert answer.returncode == 0, answer.stderr
    listed = vertex_vllm("local", "hub", "--list", "--state", cloud.state_dir).stdout.splitlines()
    assert {"some-owner/open-model", "some-owner/gated-model (gated)"} <= set(listed)
