"""One command prepares an empty project, which then lists the pipelines and runs them."""

import uuid
from pathlib import Path

import pytest
from google.cloud import aiplatform, storage
from kfp.registry import RegistryClient

from localcloud.daemon import Connection
from pipelines.compile import PIPELINES
from tests.e2e.test_scheduled_runs import put_model
from tests.vertex_vllm.cli.documented_commands import ROOT, Answer, commands_in, vertex_vllm
from vertex_vllm.project_names import default_bucket, runs_bucket, sources_bucket
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.parity("local cloud only")

REGION = "us-central1"


def succeed(*arguments: str, stdin: str = "") -> Answer:
    answer = vertex_vllm(*arguments, stdin=stdin)
    assert answer.returncode == 0, answer.stderr
    return answer


def test_after_bootstrap_the_console_lists_the_templates_and_they_run(cloud: Connection, project: str) -> None:
    place = ("--project", project, "--region", REGION)
    first = succeed("bootstrap", *place, stdin="hf_some_token")
    assert [line for line in first.stdout.splitlines() if "template" in line.split()] == [
        f"made  template {pipeline}" for pipeline in PIPELINES
    ]
    second = succeed("bootstrap", *place)
    assert (second.stdout, second.stderr.splitlines()[0]) == ("", "no change")
    assert succeed("bootstrap", *place, "--check").stdout == ""

    host = f"https://{REGION}-kfp.pkg.dev/{project}/vertex-vllm-templates"
    registry = RegistryClient(host=host)
    assert {package["name"].rpartition("/")[2] for package in registry.list_packages()} == set(PIPELINES)
    (version,) = (found["name"].rpartition("/")[2] for found in registry.list_versions("teardown"))
    job = aiplatform.PipelineJob(
        display_name="first run",
        template_path=f"{host}/teardown/{version}",
        job_id=f"teardown-{uuid.uuid4().hex[:8]}",
        pipeline_root=f"gs://{runs_bucket(project, REGION)}",
        parameter_values={"project": project, "deployment": "nothing-there"},
        project=project,
        location=REGION,
    )
    job.submit(service_account=f"vertex-vllm-pipeline@{project}.iam.gserviceaccount.com")
    assert VertexEngine().watch(job.resource_name, lambda run: None).state == "SUCCEEDED"

    left = succeed("bootstrap", *place, "--remove", "--yes").stdout.splitlines()
    assert {line.partition("  ")[2] for line in left if "holds data" in line} == {
        f"bucket gs://{runs_bucket(project, REGION)}",
        f"bucket gs://{sources_bucket(project, REGION)}",
        f"repository {REGION}/vertex-vllm",
        f"repository {REGION}/vertex-vllm-templates",
    }
    removed = succeed("bootstrap", *place, "--remove", "--yes", "--delete-data").stdout.splitlines()
    assert [line for line in removed if not line.startswith("left: others may need it")] == [
        f"removed  repository {REGION}/vertex-vllm-templates",
        f"removed  repository {REGION}/vertex-vllm",
        f"removed  bucket gs://{sources_bucket(project, REGION)}",
        f"removed  bucket gs://{runs_bucket(project, REGION)}",
    ]


def test_after_bootstrap_a_config_is_submitted_and_waited_for(cloud: Connection, project: str, tmp_path: Path) -> None:
    succeed("bootstrap", "--project", project, "--region", REGION, "--no-hf-token")
    put_model(cloud, tmp_path / "model", f"{project}/model")
    config = tmp_path / "small.yaml"
    config.write_text(f"name: small\nmodel:\n  id: {project}/model\n")
    answer = succeed("submit", str(config), "--pipeline", "mirror", "--project", project, "--wait")
    assert answer.stdout.startswith(f"projects/{cloud_number(project)}/locations/{REGION}/pipelineJobs/mirror-small-")
    names = {
        blob.name.rpartition("/")[2]
        for blob in storage.Client(project=project).list_blobs(default_bucket(project, REGION))
    }
    assert "model.safetensors" in names


def test_the_page_s_teardowns_work(ready_project: str, project: str) -> None:
    config = str(ROOT / "configs" / "smollm2-135m-instruct.yaml")
    values = {"configs/NAME.yaml": config, "PROJECT": project, "run_id=RUN": "run_id=deploy-smollm2-1"}
    commands = commands_in("google-cloud.md", **values)
    assert [words[words.index("--pipeline") + 1] for words in commands] == ["teardown", "teardown"]
    for words in commands:
        succeed(*words[1:])


def cloud_number(project: str) -> str:
    from vertex_vllm.bootstrap.making import project_number
    from vertex_vllm.bootstrap.session import authorized_session

    return project_number(authorized_session(), project)
