"""An empty project, made ready by one command, runs what was published to it.

Parity: local cloud only; nothing of it has been checked on Google Cloud yet.
"""

import subprocess
import sys
import uuid
from pathlib import Path

from google.cloud import aiplatform

from localcloud.daemon import Connection
from vertex_vllm.config import runs_bucket
from vertex_vllm.runs.watching import watch

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-central1"
IMAGE = f"us-central1-docker.pkg.dev/some-project/vertex-vllm/python-steps@sha256:{'5e' * 32}"


def vertex_vllm(*arguments: str, stdin: str = "") -> str:
    command = [sys.executable, "-m", "vertex_vllm", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_bootstrap_then_publish_then_run(cloud: Connection, project: str) -> None:
    place = ("--project", project, "--region", REGION)
    vertex_vllm("bootstrap", *place, stdin="hf_some_token")
    published = vertex_vllm("publish", *place, "--image", IMAGE, "--commit", "4f" * 20)
    addresses = {pipeline: address for pipeline, address, _ in map(str.split, published.splitlines())}
    job = aiplatform.PipelineJob(
        display_name="first run",
        template_path=addresses["teardown"],
        job_id=f"teardown-{uuid.uuid4().hex[:8]}",
        pipeline_root=f"gs://{runs_bucket(project, REGION)}",
        parameter_values={"project": project, "deployment": "nothing-there"},
        project=project,
        location=REGION,
    )
    job.submit(service_account=f"vertex-vllm-pipeline@{project}.iam.gserviceaccount.com")
    assert watch(job.resource_name, lambda run: None).state == "SUCCEEDED"
    left = vertex_vllm("bootstrap", *place, "--remove", "--yes").splitlines()
    assert {line.partition("  ")[2] for line in left if "holds data" in line} == {
        f"bucket gs://{runs_bucket(project, REGION)}",
        f"repository {REGION}/vertex-vllm-templates",
    }
    removed = vertex_vllm("bootstrap", *place, "--remove", "--yes", "--delete-data").splitlines()
    assert [line for line in removed if not line.startswith("left: others may need it")] == [
        f"removed  repository {REGION}/vertex-vllm-templates",
        f"removed  bucket gs://{runs_bucket(project, REGION)}",
    ]
