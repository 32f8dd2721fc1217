"""Projects that are ready for a run: prepared by bootstrap, with an image for its steps."""

from tests.accounts import grant, grant_on_bucket, lend_accounts, make_account
from vertex_vllm.cli.local_project import prepare
from vertex_vllm.project_names import PIPELINE_ACCOUNT, SERVING_ACCOUNT, account_email

REGION = "us-central1"
# Steps on the local cloud run in its own Python, whatever the image is; a spec's images have to be pinned all the same.
PINNED_IMAGE = f"us-docker.pkg.dev/some-project/some-repository/python-steps@sha256:{'0' * 64}"
RUNNER = "runner@some-project.iam.gserviceaccount.com"


def prepared(project: str, region: str = REGION) -> str:
    """Prepares the project by bootstrap; returns its id. The caller's clients must reach the local cloud already."""
    prepare(project, region)
    return project


def with_serving_account(project: str) -> str:
    """Lets containers run as their account, which is enough to deploy by hand; returns the project's id."""
    make_account(project, SERVING_ACCOUNT)
    lend_accounts(project)
    return project


def runner(project: str) -> str:
    """Email of the account that a project's runs run as."""
    return account_email(PIPELINE_ACCOUNT, project)


def with_runner(project: str, bucket: str) -> str:
    """`gs://bucket`, once the runner exists and may use it: enough for a run whose steps call nothing."""
    email = make_account(project, PIPELINE_ACCOUNT)
    grant(project, "roles/aiplatform.user", email)
    grant_on_bucket(bucket, "roles/storage.objectUser", email)
    return f"gs://{bucket}"
