"""Pipeline jobs through the real clients: submitted, followed, listed, cancelled, deleted."""

import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import storage

from localcloud import daemon
from localcloud.process import process_table
from tests.children import leaders, runners
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.finished_jobs import REGION, end_of, states_of, tasks_of
from tests.waiting import wait_until, wait_until_gone


def process_id_in(path: Path) -> int:
    return int(wait_until(lambda: path.exists() and path.read_text()).split()[0])


def test_a_job_runs_and_its_artifacts_are_in_the_bucket(job_of: Any, bucket: str, cloud: daemon.Connection) -> None:
    job = job_of(samples.greetings, {"name": "Ada"}, labels={"team": "one"})
    job.submit()
    ended = end_of(job)
    assert ended.state.name == "PIPELINE_STATE_SUCCEEDED"
    assert ended.create_time <= ended.start_time <= ended.end_time <= ended.update_time
    assert states_of(job) == {"": "SUCCEEDED", "write-greeting": "SUCCEEDED", "read-greeting": "SUCCEEDED"}
    tasks = tasks_of(job)
    root, written, read = (tasks[name] for name in ("", "write-greeting", "read-greeting"))
    assert (root.task_name, root.parent_task_id, written.parent_task_id) == (job.job_id, 0, root.task_id)
    assert dict(root.execution.metadata) == {"input:name": "Ada", "input:count": 2}
    assert dict(written.execution.metadata) == {
        "input:name": "Ada",
        "input:count": 2,
        "output:Output": "hello Ada hello Ada ",
    }
    assert dict(read.execution.metadata) == {"output:Output": {"length": 20, "name": 4}}

    project_number = job.resource_name.split("/")[1]
    folder = f"runs/{project_number}/{job.job_id}"
    greeting = written.outputs["greeting"].artifacts[0]
    assert greeting.uri == f"gs://{bucket}/{folder}/write-greeting_{written.task_id}/greeting"
    assert (greeting.schema_title, dict(greeting.metadata)) == ("system.Artifact", {"words": 4})
    assert read.inputs["greeting"].artifacts[0].name == greeting.name
    assert dict(read.outputs["metrics"].artifacts[0].metadata) == {"length": 20}
    assert read.outputs["model"].artifacts[0].schema_title == "system.Model"

    stored = {blob.name: blob for blob in storage.Client().list_blobs(bucket, prefix=folder)}
    model = f"{folder}/read-greeting_{read.task_id}/model"
    assert sorted(stored) == [
        f"{model}/config.json",
        f"{model}/weights/part-1",
        f"{folder}/write-greeting_{written.task_id}/greeting",
    ]
    assert {blob.download_as_bytes() for blob in stored.values()} == {b"hello Ada hello Ada "}

    logs = cloud.state_dir / "logs" / "pipelines" / job.job_id
    assert sorted(path.name for path in logs.iterdir()) == ["read-greeting.log", "write-greeting.log"]
    assert list((cloud.state_dir / "pipelines").iterdir()) == []


def test_a_failed_job_names_the_task_and_its_cause(job_of: Any, tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    job = job_of(samples.guarded, {"path": str(status), "message": "no such machine"})
    job.submit()
    ended = end_of(job)
    assert ended.state.name == "PIPELINE_STATE_FAILED"
    assert ended.error.message.startswith(
        "The DAG failed because some tasks failed. The failed tasks are: [fail]. fail: RuntimeError: no such machine"
    )
    assert states_of(job) == {
        "": "FAILED",
        "clean-up": "SUCCEEDED",
        "exit-handler-1": "FAILED",
        "exit-handler-1.add": "SUCCEEDED",
        "exit-handler-1.fail": "FAILED",
        "exit-handler-1.echo": "NOT_TRIGGERED",
    }
    failed = tasks_of(job)["exit-handler-1.fail"]
    assert failed.error.message.startswith("RuntimeError: no such machine (exit status 1, log: ")
    assert [status.state.name for status in failed.pipeline_task_status] == ["PENDING", "RUNNING", "FAILED"]
    assert json.loads(status.read_text())["pipeline_job_resource_name"] == job.resource_name
    with pytest.raises(RuntimeError, match="no such machine"):
        job.wait()


@pytest.mark.parametrize(("policy", "other"), [("fast", "NOT_TRIGGERED"), ("slow", "SUCCEEDED")])
def test_the_failure_policy_decides_what_else_is_started(job_of: Any, tmp_path: Path, policy: str, other: str) -> None:
    job = job_of(samples.fails_first, {"path": str(tmp_path / "status.json")}, failure_policy=policy)
    job.submit()
    assert end_of(job).state.name == "PIPELINE_STATE_FAILED"
    assert states_of(job)["exit-handler-1.report-environment"] == other
    assert states_of(job)["clean-up"] == "SUCCEEDED"


def test_a_task_s_attempts_are_told(job_of: Any, tmp_path: Path) -> None:
    job = job_of(samples.retried, {"path": str(tmp_path / "attempts"), "attempts": 2})
    job.submit()
    assert end_of(job).state.name == "PIPELINE_STATE_SUCCEEDED"
    told = tasks_of(job)["fail-until"].pipeline_task_status
    assert [status.error.message.partition(":")[0] for status in told] == ["", "", "ConnectionError", ""]
    assert told[-1].state.name == "SUCCEEDED"


def test_a_cancelled_job_ends_its_task_and_still_cleans_up(job_of: Any, tmp_path: Path) -> None:
    waiting, status = tmp_path / "waiting", tmp_path / "status.json"
    job = job_of(samples.waiting, {"path": str(waiting), "status_path": str(status)})
    job.submit()
    process = process_id_in(waiting)
    # The job reports its tasks a moment after they have begun.
    wait_until(lambda: job.state.name == "PIPELINE_STATE_RUNNING")
    job.cancel()
    assert job.state.name in ("PIPELINE_STATE_CANCELLING", "PIPELINE_STATE_CANCELLED")
    ended = end_of(job)
    assert (ended.state.name, ended.error.code) == ("PIPELINE_STATE_CANCELLED", 1)
    assert states_of(job) == {
        "": "CANCELLED",
        "clean-up": "SUCCEEDED",
        "exit-handler-1": "CANCELLED",
        "exit-handler-1.wait-for-signal": "CANCELLED",
        "exit-handler-1.echo": "NOT_TRIGGERED",
    }
    assert waiting.read_text() == f"{process} SIGTERM"
    assert json.loads(status.read_text())["state"] == "CANCELLED"
    assert process_table.start_time(process) is None
    with pytest.raises(exceptions.FailedPrecondition, match="PIPELINE_STATE_CANCELLED"):
        job.cancel()


def test_a_job_cancelled_at_once_ends_with_its_exit_handlers(job_of: Any, tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    job = job_of(samples.waiting, {"path": str(tmp_path / "waiting"), "status_path": str(status)})
    job.submit()
    job.batch_cancel(project="pipelines-project", location=REGION, names=[job.name])
    assert end_of(job).state.name == "PIPELINE_STATE_CANCELLED"
    states = states_of(job)
    # Forked from a warm process, it may have begun.
    assert states.pop("exit-handler-1.wait-for-signal") in ("NOT_TRIGGERED", "CANCELLED")
    assert states.pop("exit-handler-1") in ("NOT_TRIGGERED", "CANCELLED")
    assert states == {"": "CANCELLED", "clean-up": "SUCCEEDED", "exit-handler-1.echo": "NOT_TRIGGERED"}
    assert json.loads(status.read_text())["state"] == "CANCELLED"


def test_container_components_and_importers_run(job_of: Any, bucket: str) -> None:
    job = job_of(samples.containers, {"text": "python3 in a text"})
    job.submit()
    assert end_of(job).state.name == "PIPELINE_STATE_SUCCEEDED"
    tasks = tasks_of(job)
    assert tasks["echo"].execution.metadata["output:Output"] == "PYTHON3 IN A TEXT"
    copy = tasks["shout"].outputs["copy"].artifacts[0]
    assert storage.Blob.from_uri(copy.uri, storage.Client()).download_as_text() == "python3 in a text"
    imported = tasks["importer"].outputs["artifact"].artifacts[0]
    assert (imported.schema_title, imported.uri) == ("system.Model", "gs://elsewhere/model")
    assert dict(tasks["metadata-of"].execution.metadata["output:Output"]) == {
        "uri": "gs://elsewhere/model",
        "said": "python3 in a text",
    }


def test_a_task_finds_itself_on_a_worker_of_the_jobs_project(job_of: Any, cloud: daemon.Connection) -> None:
    job = job_of(samples.surroundings, labels={"team": "one"})
    job.submit()
    assert end_of(job).state.name == "PIPELINE_STATE_SUCCEEDED"
    found = dict(tasks_of(job)["report-environment"].execution.metadata["output:Output"])
    of_the_job = {
        "GOOGLE_CLOUD_PROJECT": "pipelines-project",
        "GCLOUD_PROJECT": "pipelines-project",
        "CLOUDSDK_CORE_PROJECT": "pipelines-project",
        "CLOUD_ML_PROJECT_ID": job.resource_name.split("/")[1],
        "CLOUD_ML_REGION": REGION,
    }
    expected = {**cloud.environment_of(job.gca_resource.service_account), **of_the_job}
    assert {name: found.get(name) for name in expected} == expected
    assert json.loads(found["VERTEX_AI_PIPELINES_RUN_LABELS"])["team"] == "one"
    run = str(cloud.state_dir / "pipelines")
    assert all(found[name].startswith(run) for name in ("cwd", "temporary", "HOME"))
    # The daemon has this variable, as everything that it is started from.
    assert "PYTEST_CURRENT_TEST" not in found
    assert not Path(found["temporary"]).exists()


def test_jobs_are_found_by_label_name_and_state(job_of: Any, aiplatform: Any) -> None:
    mark = uuid.uuid4().hex[:8]
    ended, refused = (job_of(samples.optional, labels={"mark": mark, "n": str(n)}) for n in (1, 2))
    ended.submit()
    with pytest.raises(exceptions.AlreadyExists):
        job_of(samples.optional, job_id=ended.job_id).submit()
    end_of(ended)
    refused.submit()
    end_of(refused)

    def ids(filter_text: str, **options: Any) -> list[str]:
        return [job.name for job in aiplatform.PipelineJob.list(filter=filter_text, **options)]

    newest_first = [refused.name, ended.name]
    assert ids(f"labels.mark={mark}", order_by="create_time desc") == newest_first
    assert ids(f"labels.mark={mark}", order_by="create_time desc", enable_simple_view=True) == newest_first
    assert ids(f'labels.mark={mark} AND labels.n="2" AND display_name="a job"') == [refused.name]
    assert ids(f'labels.mark={mark} AND state="PIPELINE_STATE_RUNNING"') == []
    assert ids(f'labels.mark={mark} AND state="PIPELINE_STATE_SUCCEEDED"', order_by="create_time") == [
        ended.name,
        refused.name,
    ]
    listed = aiplatform.PipelineJob.list(filter=f"labels.mark={mark}", enable_simple_view=True)[0].gca_resource
    assert listed.job_detail.pipeline_run_context.display_name in (ended.job_id, refused.job_id)
    assert not listed.job_detail.task_details

    ended.delete()
    assert ids(f"labels.mark={mark}") == [refused.name]
    refused.batch_delete(project="pipelines-project", location=REGION, names=[refused.name])
    assert ids(f"labels.mark={mark}") == []


@pytest.mark.parametrize("server", ["runners", "steps"])
def test_after_a_fork_server_has_been_killed_the_next_job_runs(
    job_of: Any, cloud: daemon.Connection, server: str
) -> None:
    def run() -> str:
        job = job_of(samples.greetings, {"name": "Ada"})
        job.submit()
        return str(end_of(job).state.name)

    assert run() == "PIPELINE_STATE_SUCCEEDED"
    named = f"/{server}.socket".encode()
    own = leaders(cloud.state_dir / "run" / "children") - runners(cloud.state_dir)
    (killed,) = (pid for pid in own if named in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(killed, signal.SIGKILL)
    wait_until_gone([killed])
    assert run() == "PIPELINE_STATE_SUCCEEDED"
