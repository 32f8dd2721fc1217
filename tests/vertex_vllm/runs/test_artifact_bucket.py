"""The bucket of a run's artifacts, as seen by callers who may not ask for the project's number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import storage

from localcloud.daemon import Connection
from tests.accounts import grant, owner_session
from tests.prepared import PINNED_IMAGE, runner
from vertex_vllm.errors import BucketError
from vertex_vllm.project_names import CI_ACCOUNT, account_email
from vertex_vllm.runs.submission import Submission, run_labels
from vertex_vllm.runs.vertex_engine import ensure_artifact_bucket

REGION = "us-central1"
ROOT = Path(__file__).resolve().parents[3]


def sent(project: str, bucket: str) -> Submission:
    labels = run_labels("deploy", project)
    return Submission(project, REGION, Path("x"), "", {}, f"gs://{bucket}/runs", labels, runner(project), PINNED_IMAGE)


def make_role(project: str, *permissions: str) -> str:
    role = {"roleId": "schedules", "role": {"title": "Schedules", "includedPermissions": permissions}}
    url = f"https://iam.googleapis.com/v1/projects/{project}/roles"
    answer = owner_session().post(url, json=role)
    answer.raise_for_status()
    return str(answer.json()["name"])


@pytest.mark.slow
@pytest.mark.parametrize("command", [("submit", "--pipeline", "mirror"), ("schedule", "apply")], ids=" ".join)
def test_nothing_is_suspected_of_a_bucket_whose_owner_cannot_be_asked_for(
    cloud: Connection, ready_project: str, project: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    email = account_email(CI_ACCOUNT, project)
    grant(project, make_role(project, "aiplatform.schedules.create", "aiplatform.schedules.list"), email)
    config = tmp_path / "small.yaml"
    config.write_text(
        'name: small\nmodel: {id: nobody/nothing}\nschedules: [{name: copy, cron: "0 0 1 1 *", pipeline: mirror}]\n'
    )
    words = [*command, str(config), "--project", project]
    environment = {**os.environ, **cloud.environment_of(email)}
    answer = subprocess.run(
        [sys.executable, "-m", "vertex_vllm", *words], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    said = answer.stdout + answer.stderr  # the SDK writes to both
    assert (answer.returncode, "Traceback" in said, "squatting" in said) == (0, False, False), said


def test_a_missing_bucket_is_made_and_one_s_own_is_used(cloud: Connection, ready_project: str, project: str) -> None:
    for _ in range(2):
        ensure_artifact_bucket(sent(project, f"{project}-other"))
    assert storage.Client(project=project).bucket(f"{project}-other").exists()


def test_another_project_s_bucket_is_refused(cloud: Connection, ready_project: str, project: str) -> None:
    storage.Client(project=f"{project}-x").create_bucket(f"{project}-taken")
    with pytest.raises(BucketError, match="another project's"):
        ensure_artifact_bucket(sent(project, f"{project}-taken"))
