"""`vertex-vllm submit`: output and refusals before it sends, and the labels of the run."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from google.api_core.exceptions import GoogleAPIError

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import vertex_vllm
from vertex_vllm.config import load_deployment
from vertex_vllm.runs.run_listing import list_runs
from vertex_vllm.runs.vertex_engine import VertexEngine, pipeline_client

pytestmark = pytest.mark.usefixtures("working")

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "configs" / "llama-3.1-8b-instruct.yaml"
REGION = load_deployment(CONFIG).google_cloud.region


@pytest.fixture
def submitted(ready_project: str, project: str) -> Iterator[subprocess.CompletedProcess[str]]:
    answer = vertex_vllm(
        "submit", str(CONFIG), "--project", project, "--set", "max_model_len=4096", "--set", "hf_token_secret="
    )
    assert answer.returncode == 0, answer.stderr
    name = answer.stdout.strip()
    yield answer
    with suppress(GoogleAPIError):  # it may have ended: its model is not on the local Hub
        VertexEngine().cancel(name)
    VertexEngine().watch(name, lambda run: None)


def test_the_plan_of_what_is_sent_is_shown_before_it_is_sent(submitted: subprocess.CompletedProcess[str]) -> None:
    plan, _, rest = submitted.stderr.partition("\nNext:")
    assert "g2-standard-" in plan
    assert "--max-model-len=4096" in plan
    assert "USD/h" in plan
    assert submitted.stdout.strip().rpartition("/")[2] in rest


def test_a_run_has_deployment_config_and_commit_as_labels(submitted: subprocess.CompletedProcess[str]) -> None:
    labels = dict(pipeline_client(REGION).get_pipeline_job(name=submitted.stdout.strip()).labels)
    deployment = load_deployment(CONFIG)
    assert labels["vertex-vllm-deployment"] == deployment.name
    # The run's own parameters count: this one was submitted with another max_model_len.
    serving = deployment.serving.model_copy(update={"max_model_len": 4096})
    asked = deployment.model_copy(update={"serving": serving})
    assert labels["vertex-vllm-config"] == asked.config_hash
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    # Without one where sources have changes that no commit holds.
    assert labels.get("vertex-vllm-commit", head) == head


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("machine_type=g2-standard-9", "machine_type: "),
        ("max_model_len=1000000", "max_model_len"),
        ('extra_args=["--no-such-flag"]', "--no-such-flag"),
    ],
    ids=["no such machine", "no room", "flag"],
)
def test_what_cannot_be_served_is_not_sent(cloud: Connection, project: str, assignment: str, words: str) -> None:
    answer = vertex_vllm("submit", str(CONFIG), "--project", project, "--set", assignment)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert words in line
    assert list_runs(project, REGION) == ()


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("model_id=https://huggingface.co/org/model", "model_id: "),
        ("bucket=Bad_B", "bucket: "),
        ("hf_token_secret=hf_canaryCanaryCanaryCanary", "hf_token_secret: "),
        ("region=nowhere", "region: "),
    ],
)
def test_what_no_config_could_have_is_not_sent_to_the_mirror(
    cloud: Connection, project: str, assignment: str, words: str
) -> None:
    answer = vertex_vllm("submit", str(CONFIG), "--pipeline", "mirror", "--project", project, "--set", assignment)
    assert answer.returncode == 2, answer.stderr
    assert words in answer.stderr
    assert "canary" not in answer.stderr
    assert list_runs(project, REGION) == ()


def test_a_model_that_nobody_recorded_is_planned_by_the_run(ready_project: str, project: str, tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(f"name: small\nmodel:\n  id: {project}/model\n")
    answer = vertex_vllm("submit", str(config), "--project", project)
    assert answer.returncode == 0, answer.stderr
    assert f"{project}/model is not in the catalogue" in answer.stderr
    VertexEngine().watch(answer.stdout.strip(), lambda run: None)
