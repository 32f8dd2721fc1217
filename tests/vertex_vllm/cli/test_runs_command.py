"""`vertex-vllm runs` over real runs on the local cloud."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import storage

from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.prepared import PINNED_IMAGE, runner, with_runner
from tests.vertex_vllm.cli.documented_commands import commands_in, vertex_vllm
from vertex_vllm.runs.submission import Submission, job_id, run_labels
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.usefixtures("working")

REGION = "us-central1"


@dataclass
class Runs:
    """Submits pipelines of a line or two, labelled as ours."""

    project: str
    bucket: str
    folder: Path

    def start(self, deployment: str, pipeline: Any, labels: dict[str, str] | None = None, **parameters: Any) -> str:
        spec = self.folder / f"{uuid.uuid4().hex}.yaml"
        spec.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
        ours = run_labels("deploy", deployment) if labels is None else labels
        name = f"{job_id('deploy', deployment)}-{uuid.uuid4().hex[:6]}"
        account, root = runner(self.project), f"gs://{self.bucket}"
        return VertexEngine().submit(
            Submission(self.project, REGION, spec, name, parameters, root, ours, account, PINNED_IMAGE)
        )


@pytest.fixture
def runs(cloud: Any, project: str, tmp_path: Path) -> Runs:
    bucket = storage.Client(project=project).create_bucket(f"{project}-runs", location=REGION)
    with_runner(project, bucket.name)
    return Runs(project, bucket.name, tmp_path)


@pytest.fixture
def waiting(runs: Runs, tmp_path: Path) -> Iterator[str]:
    """A run that goes on until it is cancelled."""
    status = str(tmp_path / "status.json")
    name = runs.start("sleepy", samples.waiting, path=str(tmp_path / "started"), status_path=status)
    yield name
    if json.loads(vertex_vllm("runs", "show", name, "--json").stdout)["ended"] is None:
        VertexEngine().cancel(name)


def run_id(name: str) -> str:
    return name.rpartition("/")[2]


def test_list_has_our_runs_alone_the_newest_first(runs: Runs) -> None:
    first = runs.start("llama", samples.optional)
    second = runs.start("mistral", samples.optional)
    runs.start("foreign", samples.optional, labels={})
    VertexEngine().watch(second, lambda run: None)

    def listed(*options: str) -> list[str]:
        answer = vertex_vllm("runs", "list", "--project", runs.project, "--json", *options)
        assert (answer.returncode, answer.stderr) == (0, "")
        return [run["name"] for run in json.loads(answer.stdout)]

    assert listed() == [second, first]
    assert listed("--deployment", "llama") == [first]
    assert listed("--limit", "1") == [second]
    header, *lines = vertex_vllm("runs", "list", "--project", runs.project).stdout.splitlines()
    assert header.split() == ["run", "state", "age", "deployment", "pipeline", "runs", "as"]
    newest = [cell for cell in lines[0].split("   ") if cell]
    assert [newest[0], newest[1], newest[3], newest[4]] == [run_id(second), "SUCCEEDED", "mistral", "deploy"]
    assert newest[5].strip() == runner(runs.project)


def test_show_has_steps_errors_and_artifacts(runs: Runs, tmp_path: Path) -> None:
    greeted = runs.start("llama", samples.greetings, name="you")
    failed = runs.start("llama", samples.fails_first, path=str(tmp_path / "status.json"))
    for name in (greeted, failed):
        VertexEngine().watch(name, lambda run: None)
    shown = json.loads(vertex_vllm("runs", "show", greeted, "--json").stdout)
    assert (shown["name"], shown["state"], shown["deployment"]) == (greeted, "SUCCEEDED", "llama")
    assert {step["name"]: step["state"] for step in shown["steps"]} == dict.fromkeys(
        ("write-greeting", "read-greeting"), "SUCCEEDED"
    )
    (artifact,) = next(step for step in shown["steps"] if step["name"] == "write-greeting")["outputs"]["greeting"]
    assert artifact["uri"].startswith(f"gs://{runs.bucket}/")
    text = vertex_vllm("runs", "show", run_id(failed), "--project", runs.project)
    assert "\n  fail: " in text.stdout.partition("Errors")[2]
    # A local cloud has no page in Google's console.
    assert (f"Run         {failed}\n" in text.stdout, text.stderr) == (True, "")


def test_logs_are_the_lines_of_the_steps(runs: Runs, tmp_path: Path) -> None:
    failed = runs.start("llama", samples.fails_first, path=str(tmp_path / "status.json"))
    answer = vertex_vllm("runs", "logs", failed, "--follow")
    assert answer.returncode == 0, answer.stderr
    steps = {line.partition(": ")[0] for line in answer.stdout.splitlines()}
    assert "fail" in steps
    assert "Traceback" in answer.stdout
    alone = vertex_vllm("runs", "logs", failed, "--step", "fail")
    assert {line.partition(": ")[0] for line in alone.stdout.splitlines()} == {"fail"}
    refused = vertex_vllm("runs", "logs", failed, "--step", "no-such")
    assert (refused.returncode, "fail" in refused.stderr) == (2, True)


def test_watch_follows_a_run_and_says_where_to_look_when_it_failed(runs: Runs, tmp_path: Path) -> None:
    failed = runs.start("llama", samples.fails_first, path=str(tmp_path / "status.json"))
    answer = vertex_vllm("runs", "watch", failed)
    assert (answer.returncode, answer.stdout) == (1, "FAILED\n")
    assert f"vertex-vllm diagnose {failed}" in answer.stderr
    assert f"vertex-vllm runs logs {failed}" in answer.stderr
    greeted = runs.start("llama", samples.greetings, name="you")
    answer = vertex_vllm("runs", "watch", run_id(greeted), "--project", runs.project)
    assert (answer.returncode, answer.stdout) == (0, "SUCCEEDED\n")
    page = vertex_vllm("runs", "open", greeted, "--output", tmp_path, "--no-browser")
    assert (page.returncode, page.stdout) == (2, "")
    assert "no page yet" in page.stderr


def test_logs_names_the_commands_of_cloud_logging(runs: Runs) -> None:
    name = runs.start("llama", samples.optional)
    VertexEngine().watch(name, lambda run: None)
    answer = vertex_vllm("runs", "logs", run_id(name), "--commands", "--project", runs.project)
    comment, command = answer.stdout.splitlines()
    assert comment == "# the run itself"
    assert command.startswith("gcloud logging read ")
    assert run_id(name) in command
    assert "names no job for: greet" in answer.stderr


def test_cancel_waits_until_the_run_is_cancelled(waiting: str) -> None:
    answer = vertex_vllm("runs", "cancel", waiting, "--wait")
    assert (answer.returncode, answer.stdout) == (0, "CANCELLED\n")
    again = vertex_vllm("runs", "cancel", waiting)
    assert again.returncode == 1
    assert "cannot be cancelled" in again.stderr


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_a_run_that_is_not_there_is_named(cloud: Any, project: str, command: str) -> None:
    answer = vertex_vllm("runs", command, "no-such-run", "--project", project)
    assert answer.returncode == 2
    assert f"projects/{project}/locations/{REGION}/pipelineJobs/no-such-run" in answer.stderr
    assert "vertex-vllm runs list" in answer.stderr


def test_the_page_says_what_works(runs: Runs, waiting: str) -> None:
    commands = commands_in("runs.md", PROJECT=runs.project, RUN=run_id(waiting), DEPLOYMENT="sleepy")
    asked = [words[1:] for words in commands if words[1] == "runs"]
    assert [words[1] for words in asked] == ["list", "show", "watch", "logs", "logs", "open", "cancel"]
    # `watch` and `logs --follow` last as long as the run, which only `cancel` ends; `open` wants a report.
    for words in (asked[0], asked[1], asked[4], asked[6]):
        answer = vertex_vllm(*words)
        assert answer.returncode == 0, answer.stderr
