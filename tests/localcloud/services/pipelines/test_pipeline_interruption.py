"""A job whose runner or local cloud is killed leaves no process, and reports its failure."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud import daemon
from localcloud.process import process_table
from tests.children import runners
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.waiting import wait_until

STOPPED = "The local cloud was stopped while this job was running."


class LocalCloud:
    """A local cloud of its own, called over REST: this process's clients belong to another one."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.up()

    def up(self) -> None:
        connection = daemon.up(self.state_dir)
        assert connection is not None
        self.pid = connection.pid
        self._environment = connection.environment

    def call(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        session = requests.Session()
        session.trust_env = False
        session.proxies = {"https": self._environment["HTTPS_PROXY"]}
        session.verify = self._environment["SSL_CERT_FILE"]
        token = (self.state_dir / "run" / "access-token").read_text()
        answer = session.request(method, url, headers={"Authorization": f"Bearer {token}"}, timeout=60, **options)
        answer.raise_for_status()
        return dict(answer.json())

    def make_classic(self, project: str) -> None:
        """As `tests.accounts.classic_project`."""
        service = f"https://serviceusage.googleapis.com/v1/projects/{project}/services/compute.googleapis.com"
        number = self.call("POST", f"{service}:enable", json={})["response"]["service"]["parent"].partition("/")[2]
        member = f"serviceAccount:{number}-compute@developer.gserviceaccount.com"
        policy = {"policy": {"bindings": [{"role": "roles/editor", "members": [member]}]}}
        url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}:setIamPolicy"
        self.call("POST", url, json=policy)

    def submit(self, waiting: Path) -> str:
        """Submits a job whose task waits for a signal; returns when it does and the job says so, with the job's URL."""
        bucket = f"bucket-{uuid.uuid4().hex[:8]}"
        self.make_classic("some-project")
        self.call("POST", "https://storage.googleapis.com/storage/v1/b?project=some-project", json={"name": bucket})
        location = "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/some-project/locations/us-central1"
        job = {
            "pipelineSpec": compiled_with_init(samples.waiting),
            "runtimeConfig": {
                "gcsOutputDirectory": f"gs://{bucket}",
                "parameterValues": {"path": str(waiting), "status_path": str(waiting.with_suffix(".status"))},
            },
        }
        created = self.call("POST", f"{location}/pipelineJobs", json=job)
        url = f"{location}/pipelineJobs/{created['name'].rpartition('/')[2]}"
        wait_until(lambda: waiting.exists() and waiting.read_text())
        wait_until(lambda: states(self.job(url)).get("exit-handler-1.wait-for-signal") == "RUNNING")
        return url

    def job(self, url: str) -> dict[str, Any]:
        return self.call("GET", url)


@pytest.fixture
def local_cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    yield LocalCloud(tmp_path / "state")
    daemon.down(tmp_path / "state")


def states(job: dict[str, Any]) -> dict[str, str]:
    """States of tasks by name; empty before the job reports its first task."""
    return {task.get("taskUniqueName", ""): task["state"] for task in job["jobDetail"].get("taskDetails", [])}


def is_gone(pid: int) -> bool:
    return process_table.start_time(pid) is None


@pytest.mark.slow
def test_a_killed_runners_task_ends_and_the_job_has_failed(local_cloud: LocalCloud, tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    url = local_cloud.submit(waiting)
    task = int(waiting.read_text())
    (runner,) = runners(local_cloud.state_dir)
    os.kill(runner, signal.SIGKILL)
    job = wait_until(lambda: (found := local_cloud.job(url))["state"] == "PIPELINE_STATE_FAILED" and found)
    assert job["error"]["message"].startswith("The process that ran this job ended with status -9")
    assert states(job) == {
        "": "FAILED",
        "clean-up": "NOT_TRIGGERED",
        "exit-handler-1": "FAILED",
        "exit-handler-1.wait-for-signal": "FAILED",
        "exit-handler-1.echo": "NOT_TRIGGERED",
    }
    assert is_gone(task)


@pytest.mark.slow
def test_nothing_outlives_the_local_cloud_and_its_jobs_have_failed(local_cloud: LocalCloud, tmp_path: Path) -> None:
    killed, stopped = tmp_path / "killed", tmp_path / "stopped"
    url_of_killed = local_cloud.submit(killed)
    os.kill(local_cloud.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(int(killed.read_text().split()[0])))

    local_cloud.up()
    job = local_cloud.job(url_of_killed)
    assert (job["state"], job["error"]["message"]) == ("PIPELINE_STATE_FAILED", STOPPED)
    assert states(job)["exit-handler-1.wait-for-signal"] == "FAILED"

    url_of_stopped = local_cloud.submit(stopped)
    daemon.down(local_cloud.state_dir)
    assert is_gone(int(stopped.read_text().split()[0]))
    assert list((local_cloud.state_dir / "pipelines").glob("*")) == []

    local_cloud.up()
    job = local_cloud.job(url_of_stopped)
    assert (job["state"], job["error"]["message"]) == ("PIPELINE_STATE_FAILED", STOPPED)
