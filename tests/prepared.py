"""Projects as a run finds them: prepared by bootstrap, with an image for its steps."""

from vertex_vllm.bootstrap import api_requests
from vertex_vllm.bootstrap.making import make, project_number
from vertex_vllm.bootstrap.session import authorized_session
from vertex_vllm.bootstrap.setup_steps import Grant
from vertex_vllm.cli.local_project import prepare
from vertex_vllm.project_names import PIPELINE_ACCOUNT, SERVING_ACCOUNT, account_email

REGION = "us-central1"
# Steps on the local cloud run in its own Python, whatever the image is; a spec's images have to be pinned all the same.
PINNED_IMAGE = f"us-docker.pkg.dev/some-project/some-repository/python-steps@sha256:{'0' * 64}"
RUNNER = "runner@some-project.iam.gserviceaccount.com"


def prepared(project: str, region: str = REGION) -> str:
    """The project's id, once bootstrap has made what is missing. The caller's clients reach the local cloud already."""
    prepare(project, region)
    return project


def with_serving_account(project: str) -> str:
    """The project's id, once containers may run as their account: enough to deploy by hand."""
    session = authorized_session()
    make(session, api_requests.service_account(project, SERVING_ACCOUNT, "Serves: reads the weights"))
    number = project_number(session, project)
    agent, account = f"serviceAccount:{api_requests.vertex_agent(number)}", account_email(SERVING_ACCOUNT, project)
    lends = Grant(agent, "roles/iam.serviceAccountAdmin", api_requests.account_policy(project, account))
    pulls = Grant(agent, "roles/aiplatform.serviceAgent", api_requests.project_policy(project))
    for step in (api_requests.service_agent(project, number, pulls), pulls, lends):
        make(session, step)
    return project


def runner(project: str) -> str:
    """Email of the account that a project's runs run as."""
    return account_email(PIPELINE_ACCOUNT, project)


def with_runner(project: str, bucket: str) -> str:
    """`gs://bucket`, once the runner exists and may use it: enough for a run whose steps call nothing."""
    session = authorized_session()
    make(session, api_requests.service_account(project, PIPELINE_ACCOUNT, "Runs the steps of the pipelines"))
    member = f"serviceAccount:{runner(project)}"
    make(session, Grant(member, "roles/aiplatform.user", api_requests.project_policy(project)))
    make(session, Grant(member, "roles/storage.objectUser", api_requests.bucket_policy(bucket)))
    return f"gs://{bucket}"
