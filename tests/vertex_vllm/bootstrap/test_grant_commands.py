"""The command that makes a grant, and gcloud itself, which takes it."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from localcloud.daemon import Connection
from vertex_vllm.bootstrap.grant_commands import grant_command
from vertex_vllm.bootstrap.making import is_missing, make, project_number, revoke
from vertex_vllm.bootstrap.required_setup import Settings, grants_by_row, wanted
from vertex_vllm.bootstrap.session import authorized_session
from vertex_vllm.bootstrap.setup_steps import Grant
from vertex_vllm.bootstrap.withdrawn_grants import withdrawn

REGION = "us-central1"
KEY = "projects/keys/locations/us/keyRings/models/cryptoKeys/manifests"
SETTINGS = Settings("p", "1", REGION, "2", "3", signing_key=KEY)


def commands(settings: Settings) -> dict[str, str]:
    """By account, role and resource."""
    return {
        f"{row.account} {row.role} {row.resource}": grant_command(settings.project, grant)
        for row, grant in grants_by_row(settings)
    }


@pytest.mark.parametrize(
    ("grant", "command"),
    [
        (
            "pipeline vertexVllmPipeline project",
            "gcloud projects add-iam-policy-binding p "
            "--member=serviceAccount:vertex-vllm-pipeline@p.iam.gserviceaccount.com "
            "--role=projects/p/roles/vertexVllmPipeline --condition=None",
        ),
        (
            "build roles/storage.objectViewer sources",
            "gcloud storage buckets add-iam-policy-binding gs://p-vertex-vllm-us-central1-srcs "
            "--member=serviceAccount:vertex-vllm-build@p.iam.gserviceaccount.com --role=roles/storage.objectViewer "
            "--condition=None",
        ),
        (
            "pipeline roles/cloudkms.signerVerifier key",
            "gcloud kms keys add-iam-policy-binding manifests --keyring=models --location=us --project=keys "
            "--member=serviceAccount:vertex-vllm-pipeline@p.iam.gserviceaccount.com "
            "--role=roles/cloudkms.signerVerifier --condition=None",
        ),
        (
            "ci roles/secretmanager.viewer secret",
            "gcloud secrets add-iam-policy-binding hf-token --project=p "
            "--member=serviceAccount:vertex-vllm-ci@p.iam.gserviceaccount.com --role=roles/secretmanager.viewer "
            "--condition=None",
        ),
        (
            "ci roles/artifactregistry.reader images",
            "gcloud artifacts repositories add-iam-policy-binding vertex-vllm --location=us-central1 --project=p "
            "--member=serviceAccount:vertex-vllm-ci@p.iam.gserviceaccount.com --role=roles/artifactregistry.reader "
            "--condition=None",
        ),
        (
            "github roles/iam.workloadIdentityUser ci",
            "gcloud iam service-accounts add-iam-policy-binding vertex-vllm-ci@p.iam.gserviceaccount.com --project=p "
            "--member=principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/"
            "vertex-vllm-github/attribute.repository_id/2 --role=roles/iam.workloadIdentityUser --condition=None",
        ),
    ],
)
def test_the_command_of_a_grant(grant: str, command: str) -> None:
    assert commands(SETTINGS)[grant] == command


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_gcloud_makes_the_grant_by_it(cloud: Connection, project: str, tmp_path: Path) -> None:
    session = authorized_session()
    settings = Settings(project, project_number(session, project), REGION)
    for step in wanted(settings):
        make(session, step, "hf_" + "t" * 34)
    kinds: dict[str, Grant] = {
        grant_command(project, grant).split("add-")[0]: grant for _, grant in grants_by_row(settings)
    }
    kinds["condition"] = next(grant for grant in withdrawn(settings) if grant.condition)
    make(session, kinds["condition"])
    assert len(kinds) == 6
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    own = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path / "gcloud")}
    for grant in kinds.values():
        assert revoke(session, grant)
        answer = subprocess.run(
            shlex.split(grant_command(project, grant)),
            capture_output=True,
            text=True,
            check=False,
            env={**kept, **cloud.environment, **own},
        )
        assert answer.returncode == 0, answer.stderr
        assert not is_missing(session, grant)
