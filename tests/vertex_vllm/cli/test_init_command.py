"""`vertex-vllm init`: a folder of planned configs that the other commands take as they are."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.vertex_vllm.cli.documented_commands import vertex_vllm

MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "models"
    answer = vertex_vllm("init", folder, *MODELS, "--project", "some-project")
    assert answer.returncode == 0, answer.stderr
    assert [Path(line) for line in answer.stdout.splitlines()] == [
        folder / "configs" / "llama-3-1-8b-instruct.yaml",
        folder / "configs" / "smollm2-135m-instruct.yaml",
        folder / "configs" / "deployment.schema.json",
        folder / ".github" / "workflows" / "deployments.yaml",
        folder / "README.md",
        folder / ".gitignore",
    ]
    return folder


def test_each_config_is_valid_and_planned(begun: Path) -> None:
    configs = sorted((begun / "configs").glob("*.yaml"))
    assert vertex_vllm("validate", *configs).returncode == 0
    for config in configs:
        planned = vertex_vllm("plan", config)
        assert planned.returncode == 0, planned.stderr
        machine = config.read_text().splitlines()[1].partition(": ")[2].partition(",")[0]
        assert machine in planned.stdout
    gated, public = (yaml.safe_load(config.read_text()) for config in configs)
    assert (gated.get("hf_token_secret"), public.get("hf_token_secret")) == ("hf-token", None)


def test_ci_plans_a_change_without_compiled_pipelines(begun: Path) -> None:
    def git(*words: str) -> None:
        command = ["git", "-C", str(begun), "-c", "user.name=n", "-c", "user.email=e@example.com", *words]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    config = begun / "configs" / "llama-3-1-8b-instruct.yaml"
    config.write_text(config.read_text().replace("# ttl: 8h", "ttl: 8h"))
    git("commit", "--quiet", "--all", "--message", "Expire")
    answer = vertex_vllm("ci", "plan", "--base", "HEAD^1", cwd=begun)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "llama-3-1-8b-instruct" in answer.stdout


def test_the_workflow_runs_commands_of_this_project_alone(begun: Path) -> None:
    workflow = yaml.safe_load((begun / ".github" / "workflows" / "deployments.yaml").read_text())
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    # The list of packages is the installed wheel's own, not a file of the repository.
    runs = [run.replace('shipped("constraints/image.hashes")', "") for run in runs]
    assert not [run for run in runs if "constraints/" in run or "make " in run]
    uses = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(len(action.partition("@")[2]) == 40 for action in uses)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (("not a model",), "OWNER/NAME"),
        ((MODELS[0], MODELS[0]), "two models would be deployed as llama-3-1-8b-instruct"),
        ((MODELS[0], "no-such-owner/no-such-model"), "has no such model"),
    ],
    ids=["no id", "one name", "no model"],
)
def test_nothing_is_written_where_a_model_cannot_be_planned(
    tmp_path: Path, cloud: object, models: tuple[str, ...], words: str
) -> None:
    folder = tmp_path / "models"
    answer = vertex_vllm("init", folder, *models)
    assert (answer.returncode, answer.stdout, folder.exists()) == (2, "", False)
    assert words in answer.stderr


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    answer = vertex_vllm("init", tmp_path, MODELS[0])
    assert (answer.returncode, sorted(tmp_path.iterdir())) == (2, [tmp_path / "notes"])
