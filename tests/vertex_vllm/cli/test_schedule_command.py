"""`vertex-vllm schedule` against the local cloud: its schedules become equal to the configs, and stay so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1 as aiplatform
from google.protobuf import json_format

from localcloud.daemon import Connection
from vertex_vllm.cli import main
from vertex_vllm.cli.sending import with_image
from vertex_vllm.cli.submit_command import submission
from vertex_vllm.config import load_deployment
from vertex_vllm.runs.schedule_calls import list_schedules
from vertex_vllm.runs.vertex_engine import pipeline_job

pytestmark = pytest.mark.usefixtures("working")

REGION = "us-central1"
# Far away: no test shall start a run by moving the clock.
YEARLY = "0 0 1 1 *"
Apply = Callable[..., list[str]]


@pytest.fixture
def client(cloud: Connection, ready_project: str, project: str) -> Iterator[aiplatform.ScheduleServiceClient]:
    client = aiplatform.ScheduleServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    yield client
    for schedule in client.list_schedules(parent=f"projects/{project}/locations/{REGION}"):
        client.delete_schedule(name=schedule.name)


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """A config of one deployment, with the entries of its `schedules`."""

    def write(*schedules: str, name: str = "llama") -> Path:
        path = tmp_path / f"{name}.yaml"
        entries = "schedules:\n" + "\n".join(f"  - {entry}" for entry in schedules) if schedules else ""
        path.write_text(f"name: {name}\nmodel:\n  id: HuggingFaceTB/SmolLM2-135M-Instruct\n{entries}\n")
        return path

    return write


@pytest.fixture
def apply(project: str, capsys: pytest.CaptureFixture[str]) -> Apply:
    def apply(*arguments: Any) -> list[str]:
        main(["schedule", "apply", *map(str, arguments), "--project", project])
        return capsys.readouterr().out.splitlines()

    return apply


def entry(name: str, **fields: str) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in {"name": name, "cron": YEARLY, **fields}.items()) + "}"


def test_applied_twice_nothing_changes(
    client: aiplatform.ScheduleServiceClient, config: Callable[..., Path], apply: Apply, project: str
) -> None:
    path = config(entry("up"), entry("down", pipeline="teardown", time_zone="Asia/Tokyo"))
    assert apply(path, "--dry-run") == [
        "change   schedule     pipeline   cron",
        "create   llama/up     deploy     TZ=UTC 0 0 1 1 *",
        "create   llama/down   teardown   TZ=Asia/Tokyo 0 0 1 1 *",
    ]
    assert list_schedules(project, REGION) == ()
    assert apply(path) == ["created: llama/up", "created: llama/down"]
    made = list_schedules(project, REGION)
    assert [(each.display_name, each.pipeline, each.state) for each in made] == [
        ("llama/up", "deploy", "ACTIVE"),
        ("llama/down", "teardown", "ACTIVE"),
    ]
    assert apply(path) == ["kept: llama/up", "kept: llama/down"]
    assert list_schedules(project, REGION) == made


def test_a_schedules_runs_are_what_submit_would_send(
    client: aiplatform.ScheduleServiceClient, config: Callable[..., Path], apply: Apply, project: str
) -> None:
    path = config(
        entry("nightly", parameters="{keep_endpoint: false}", max_run_count="7", end='"2100-01-01T00:00:00Z"')
    )
    apply(path)
    (made,) = client.list_schedules(parent=f"projects/{project}/locations/{REGION}")
    submitted = pipeline_job(with_image(submission(load_deployment(path), "deploy", project, {"keep_endpoint": False})))
    message, scheduled = submitted.to_dict(), made.create_pipeline_job_request
    run = json_format.MessageToDict(aiplatform.PipelineJob.pb(scheduled.pipeline_job))
    assert (run["pipelineSpec"], run["runtimeConfig"]) == (message["pipelineSpec"], message["runtimeConfig"])
    ours = {key: value for key, value in run["labels"].items() if not key.startswith("vertex-vllm-schedule")}
    assert (ours, run["labels"]["vertex-vllm-schedule"]) == (message["labels"], "nightly")
    assert scheduled.pipeline_job_id == ""
    assert (made.display_name, made.max_run_count, made.end_time.year) == ("llama/nightly", 7, 2100)
    assert (made.allow_queueing, made.max_concurrent_active_run_count) == (True, 1)


def test_what_changed_is_replaced_and_what_is_gone_is_deleted(
    client: aiplatform.ScheduleServiceClient, config: Callable[..., Path], apply: Apply, project: str
) -> None:
    other = config(entry("up"), name="other")
    apply(config(entry("up"), entry("down", pipeline="teardown")), other)
    up, down, others = list_schedules(project, REGION)
    client.pause_schedule(name=up.resource_name)

    path = config(entry("up", parameters="{spot: true}"))
    assert [line.split()[:2] for line in apply(path, "--dry-run")[1:]] == [
        ["replace", "llama/up"],
        ["delete", "llama/down"],
    ]
    assert apply(path) == ["replaced: llama/up", "deleted: llama/down"]
    kept, new = list_schedules(project, REGION)
    assert kept == others
    assert (new.display_name, new.state) == ("llama/up", "PAUSED")
    assert new.resource_name not in (up.resource_name, down.resource_name)

    assert apply(config()) == ["deleted: llama/up"]
    assert list_schedules(project, REGION) == (others,)


def test_a_schedule_that_somebody_else_made_is_left_alone(
    client: aiplatform.ScheduleServiceClient, config: Callable[..., Path], apply: Apply, project: str
) -> None:
    apply(config(entry("up")))
    (made,) = client.list_schedules(parent=f"projects/{project}/locations/{REGION}")
    made.create_pipeline_job_request.pipeline_job.labels.clear()
    theirs = client.create_schedule(parent=f"projects/{project}/locations/{REGION}", schedule=made)
    assert apply(config()) == ["deleted: llama/up"]
    (left,) = client.list_schedules(parent=f"projects/{project}/locations/{REGION}")
    assert left.name == theirs.name


def test_pause_resume_delete_and_list(
    client: aiplatform.ScheduleServiceClient,
    config: Callable[..., Path],
    apply: Apply,
    project: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    apply(config(entry("up")))

    def call(*arguments: str) -> list[str]:
        main(["schedule", *arguments, "--project", project])
        written = capsys.readouterr()
        return [*written.out.splitlines(), *written.err.splitlines()]

    assert call("pause", "llama/up") == ["paused: llama/up"]
    assert call("list") == [
        "schedule   pipeline   cron               state    next run (UTC)   runs   last start",
        "llama/up   deploy     TZ=UTC 0 0 1 1 *   PAUSED                    0",
        f"Looked at project {project}, region {REGION}",
    ]
    assert call("resume", "llama/up", "--catch-up") == ["resumed: llama/up"]
    (schedule,) = list_schedules(project, REGION)
    assert schedule.state == "ACTIVE"
    assert call("delete", schedule.resource_name) == [f"deleted: {schedule.resource_name}"]
    assert call("list") == [f"no schedules in project {project}, region {REGION}"]


def test_mistakes_are_told_and_nothing_is_applied(
    client: aiplatform.ScheduleServiceClient,
    config: Callable[..., Path],
    project: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, again = config(entry("up")), tmp_path / "again.yaml"
    again.write_text(good.read_text())
    bad = config(entry("up", pipelin="deploy"), name="bad")
    for arguments, words in (
        (["apply", str(good), str(bad)], f"{bad}:5: schedules[0].pipelin: unknown field"),
        (["apply", str(good), str(again)], f"{good} is named llama, too"),
        (["pause", "llama/never"], "there is no schedule llama/never. Known: none"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["schedule", *arguments, "--project", project])
        assert caught.value.code == 2
        assert words in capsys.readouterr().err
    assert list_schedules(project, REGION) == ()
