"""Pipeline jobs through the real clients: submitted, followed, listed, cancelled, deleted."""

import copy
import json
import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
import google.auth.transport.requests
import pytest
import yaml
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, storage

from localcloud import daemon
from localcloud.process import process_table
from tests.accounts import classic_project, grant, grant_on_bucket, make_account
from tests.children import leaders, runners
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled, compiled_with_init
from tests.waiting import wait_until, wait_until_gone

REGION = "us-central1"
PARENT = f"projects/pipelines-project/locations/{REGION}"


def process_id_in(path: Path) -> int:
    return int(wait_until(lambda: path.exists() and path.read_text()).split()[0])


@pytest.fixture(scope="module")
def aiplatform(cloud: daemon.Connection) -> Any:
    from google.cloud import aiplatform

    classic_project("pipelines-project")
    aiplatform.init(project="pipelines-project", location=REGION)
    return aiplatform


@pytest.fixture(scope="module")
def bucket(cloud: daemon.Connection) -> str:
    name = f"pipelines-{uuid.uuid4().hex[:12]}"
    classic_project("pipelines-project")
    storage.Client(project="pipelines-project").create_bucket(name, location=REGION)
    return name


@pytest.fixture
def job_of(aiplatform: Any, bucket: str, tmp_path: Path) -> Callable[..., Any]:
    def make(pipeline: Any, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
        template = tmp_path / "pipeline.yaml"
        template.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
        return aiplatform.PipelineJob(
            display_name=options.pop("display_name", "a job"),
            template_path=str(template),
            job_id=options.pop("job_id", f"job-{uuid.uuid4().hex[:12]}"),
            pipeline_root=f"gs://{bucket}/runs",
            parameter_values=parameters or {},
            **options,
        )

    return make


def end_of(job: Any) -> Any:
    """The job's message when it has ended."""
    wait_until(job.done)
    return job.gca_resource


def tasks_of(job: Any) -> dict[str, Any]:
    return {detail.task_unique_name: detail for detail in job.task_details}


def states_of(job: Any) -> dict[str, str]:
    return {name: detail.state.name for name, detail in tasks_of(job).items()}


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
    # The job tells of its tasks a moment after they have begun.
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


@pytest.fixture
def create(cloud: daemon.Connection, bucket: str) -> Callable[..., tuple[int, dict[str, Any]]]:
    """`CreatePipelineJob` over plain REST: no client checks what is sent."""
    credentials, _ = google.auth.default()
    session = google.auth.transport.requests.AuthorizedSession(credentials)

    def post(change: Callable[[dict[str, Any]], None], job_id: str = "") -> tuple[int, dict[str, Any]]:
        body = {
            "displayName": "by hand",
            "pipelineSpec": compiled(samples.greetings),
            "runtimeConfig": {"gcsOutputDirectory": f"gs://{bucket}/by-hand", "parameterValues": {"name": "x"}},
        }
        change(body)
        url = f"https://{REGION}-aiplatform.googleapis.com/v1/{PARENT}/pipelineJobs"
        answer = session.post(url, json=body, params={"pipelineJobId": job_id} if job_id else {})
        return answer.status_code, answer.json()

    return post


@pytest.mark.parametrize(
    ("change", "job_id", "words"),
    [
        (lambda job: job["runtimeConfig"].pop("parameterValues"), "", "name is required"),
        (lambda job: job["runtimeConfig"]["parameterValues"].update(count="3"), "", "count has to be of type NUMBER"),
        (lambda job: job["runtimeConfig"].pop("gcsOutputDirectory"), "", "gcsOutputDirectory has to be gs://BUCKET"),
        (lambda job: job.pop("pipelineSpec"), "", "pipelineSpec is required"),
        (lambda job: job.update(labels={"Team": "x"}), "", "use lower-case letters"),
        (lambda job: job.update(displayName="x" * 129), "", "more than 128 characters"),
        (lambda job: None, "1-job", "pipelineJobId has to match"),
        (lambda job: job.update(nonsense=1), "", "nonsense"),
        (lambda job: job.update(network="default"), "", "projects/PROJECT_NUMBER/global/networks/NETWORK"),
        (lambda job: job.update(network="projects/a-project/global/networks/default"), "", "PROJECT_NUMBER"),
        (lambda job: job.update(reservedIpRanges=["range"]), "", "needs pipelineJob.network"),
        (lambda job: job.update(serviceAccount="not-an-email"), "", "the e-mail address of a service account"),
        (lambda job: job.update(serviceAccount="someone@example.com"), "", "the e-mail address of a service account"),
        (lambda job: job.update(encryptionSpec={"kmsKeyName": "my-key"}), "", "cryptoKeys"),
    ],
)
def test_what_is_wrong_is_refused_by_the_service(create: Any, change: Any, job_id: str, words: str) -> None:
    status, answer = create(change, job_id)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer["error"]["message"]


def test_a_root_in_a_bucket_that_is_not_there_is_refused(create: Any) -> None:
    status, answer = create(lambda job: job["runtimeConfig"].update(gcsOutputDirectory="gs://no-such-bucket-here/x"))
    assert (status, answer["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert "there is no bucket no-such-bucket-here" in answer["error"]["message"]


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


def test_a_job_runs_as_its_account_which_needs_rights_of_its_own(job_of: Any, bucket: str) -> None:
    account = make_account("pipelines-project", f"robot-{uuid.uuid4().hex[:8]}")
    without = job_of(samples.greetings, {"name": "Ada"})
    without.submit(service_account=account)
    error = end_of(without).error
    assert (error.code, error.message) == (
        9,
        "Failed to create pipeline job. Error: Permission 'aiplatform.metadataStores.get' denied on resource "
        f"'//aiplatform.googleapis.com/{PARENT}/metadataStores/default' (or it may not exist)..",
    )

    grant("pipelines-project", "roles/aiplatform.user", account)
    bucketless = job_of(samples.greetings, {"name": "Ada"})
    bucketless.submit(service_account=account)
    words = f"Service account `{account}` does not have `[storage.objects.get, storage.objects.create]` IAM permission"
    assert words in end_of(bucketless).error.message

    grant_on_bucket(bucket, "roles/storage.objectUser", account)
    job = job_of(samples.whoami)
    job.submit(service_account=account)
    assert end_of(job).state.name == "PIPELINE_STATE_SUCCEEDED"
    said = tasks_of(job)["who-am-i"].execution.metadata["output:Output"]
    assert said == account


def test_a_task_s_image_is_pulled_by_vertex_ai_s_agent(
    cloud: daemon.Connection, create: Any, aiplatform: Any, project: str
) -> None:
    """From another project's repository only where the agent may."""
    artifactregistry_v1.ArtifactRegistryClient().create_repository(
        parent=f"projects/{project}/locations/{REGION}", repository_id="images", repository={"format_": "DOCKER"}
    ).result()

    def use_it(job: dict[str, Any]) -> None:
        spec = copy.deepcopy(job["pipelineSpec"])
        for executor in spec["deploymentSpec"]["executors"].values():
            executor["container"]["image"] = f"{REGION}-docker.pkg.dev/{project}/images/steps@sha256:{'0' * 64}"
        job["pipelineSpec"] = spec

    _, created = create(use_it)
    ended = aiplatform.PipelineJob.get(created["name"])
    words = (
        f'denied: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource "projects/{project}/'
    )
    assert words in end_of(ended).error.message
    number = created["name"].split("/")[1]
    grant(project, "roles/artifactregistry.reader", f"service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com")
    _, created = create(use_it)
    assert end_of(aiplatform.PipelineJob.get(created["name"])).state.name == "PIPELINE_STATE_SUCCEEDED"


@pytest.mark.parametrize("account", ["nobody@pipelines-project.iam.gserviceaccount.com", ""])
def test_an_account_that_one_may_not_act_as_is_refused(
    cloud: daemon.Connection, create: Any, account: str, bucket: str
) -> None:
    poor = make_account("pipelines-project", f"poor-{uuid.uuid4().hex[:8]}")
    grant("pipelines-project", "roles/aiplatform.user", poor)
    if account:
        status, answer = create(lambda job: job.update(serviceAccount=account))
    else:
        with cloud.user(poor):
            status, answer = _post_as_current_user(bucket)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert answer["error"]["message"].startswith("You do not have permission to act as service_account: ")
    assert answer["error"]["message"].endswith(". (or it may not exist).")


def _post_as_current_user(bucket: str) -> tuple[int, dict[str, Any]]:
    credentials, _ = google.auth.default()
    body = {
        "pipelineSpec": compiled(samples.greetings),
        "runtimeConfig": {"gcsOutputDirectory": f"gs://{bucket}/x", "parameterValues": {"name": "x"}},
    }
    url = f"https://{REGION}-aiplatform.googleapis.com/v1/{PARENT}/pipelineJobs"
    answer = google.auth.transport.requests.AuthorizedSession(credentials).post(url, json=body)
    return answer.status_code, answer.json()
