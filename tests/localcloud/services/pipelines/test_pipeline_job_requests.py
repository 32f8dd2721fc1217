"""Requests for pipeline jobs: refusals, and the accounts that a job acts as."""

import copy
import uuid
from collections.abc import Callable
from typing import Any

import google.auth
import google.auth.transport.requests
import pytest
from google.cloud import artifactregistry_v1

from localcloud import daemon
from tests.accounts import grant, grant_on_bucket, make_account
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled
from tests.localcloud.services.pipelines.finished_jobs import PARENT, REGION, end_of, tasks_of


@pytest.fixture
def create(cloud: daemon.Connection, bucket: str) -> Callable[..., tuple[int, dict[str, Any]]]:
    """`CreatePipelineJob` over plain REST: no client checks the request."""
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
    """The agent needs the role on another project's repository to pull its image."""
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
