"""CI on a real git history: a commit that edits one of five configs starts one run, and its end is CI's."""

import json
import shutil
import struct
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import Answer, commands_in, vertex_vllm
from vertex_vllm.config import load_deployment
from vertex_vllm.runs.run_listing import list_runs

pytestmark = pytest.mark.parity("local cloud only")

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-central1"
NAMES = ("one", "two", "three", "four", "five")


class Clone:
    """A team's repository: five configs of one small model, and the specs that ship."""

    def __init__(self, root: Path, model_id: str) -> None:
        self.root = root
        self.model_id = model_id
        shutil.copytree(ROOT / "compiled", root / "compiled")
        (root / "configs").mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        for name in NAMES:
            self.write(name)
        self.base = self.commit()

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
        argv = ["git", "-C", str(self.root), *identity, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def config(self, name: str) -> Path:
        return self.root / "configs" / f"{name}.yaml"

    def write(self, name: str, more: str = "deploy_on_change: true") -> None:
        text = f"name: {name}\nmodel:\n  id: {self.model_id}\nserving:\n  machine_type: g2-standard-8\n"
        self.config(name).write_text(f"{text}{more}\n")

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def ci(self, *arguments: str) -> Answer:
        return vertex_vllm("ci", *arguments, cwd=self.root)


@pytest.fixture
def clone(cloud: Connection, tmp_path: Path) -> Clone:
    model_id = f"org-{uuid.uuid4().hex[:8]}/small"
    files = tmp_path / "model"
    files.mkdir()
    (files / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    header = json.dumps({"embed": {"dtype": "BF16", "shape": [8], "data_offsets": [0, 16]}}).encode()
    (files / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    cloud.admin("PUT", "/_local/hub/repos", {"id": model_id, "path": str(files), "gated": False})
    root = tmp_path / "clone"
    root.mkdir()
    return Clone(root, model_id)


def test_a_commit_that_edits_one_of_five_configs_starts_one_run(clone: Clone, ready_project: str, project: str) -> None:
    clone.write("three", "deploy_on_change: true\nevaluation:\n  concurrency: 2")
    head = clone.commit()
    plan, with_comment, dry_run, mirror, deploy = (
        words[1:] for words in commands_in("ci.md", BASE=clone.base, PROJECT=project) if words[1] == "ci"
    )

    planned = vertex_vllm(*plan, cwd=clone.root)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "## vertex-vllm: 1 deployment concerned" in planned.stdout
    assert "`concurrency` `4` → `2`" in planned.stdout

    commented = vertex_vllm(*with_comment, cwd=clone.root)
    assert (commented.stdout, (clone.root / "comment.md").read_text()) == (planned.stdout, planned.stdout)

    tried = vertex_vllm(*dry_run, cwd=clone.root)
    assert tried.stdout.splitlines()[1].split() == ["three", "configs/three.yaml", "edited"]
    assert list_runs(project, REGION) == ()

    mirrored = vertex_vllm(*mirror, cwd=clone.root)
    assert mirrored.returncode == 0, mirrored.stderr
    assert mirrored.stdout.splitlines()[1].split()[::2] == ["three", "SUCCEEDED"]
    (run,) = list_runs(project, REGION)
    config_hash = load_deployment(clone.config("three")).config_hash
    told = (run.deployment, run.pipeline, run.commit, run.config_hash, run.state)
    assert told == ("three", "mirror", head, config_hash, "SUCCEEDED")

    clone.write("three", "deploy_on_change: true")
    clone.base = clone.commit()
    clone.config("five").write_text(clone.config("five").read_text().replace("small\n", "small\n  revision: gone\n"))
    clone.commit()
    deploy[deploy.index("--base") + 1] = clone.base
    failed = vertex_vllm(*deploy, cwd=clone.root)
    assert failed.returncode == 1
    assert "error: 1 of 1 failed: five" in failed.stderr
    assert "validate-hf-token" in failed.stdout
    assert "gone" in failed.stdout
    runs = [(run.deployment, run.pipeline, run.state) for run in list_runs(project, REGION)]
    assert runs == [("five", "deploy", "FAILED"), ("three", "mirror", "SUCCEEDED")]


def test_an_invalid_config_is_told_in_the_log_and_in_the_comment_and_nothing_starts(clone: Clone, project: str) -> None:
    clone.write("two", "serving_: {}\ndeploy_on_change: true")
    clone.write("one", "keep_endpoint: false\ndeploy_on_change: true")
    clone.commit()
    fault = "configs/two.yaml:6: serving_: unknown field. Did you mean serving?"
    planned = clone.ci("plan", "--base", clone.base)
    assert (planned.returncode, planned.stderr) == (2, f"error: {fault}\n")
    assert f"- `{fault}`" in planned.stdout
    assert "### `one`" in planned.stdout
    applied = clone.ci("apply", "--base", clone.base, "--project", project)
    assert (applied.returncode, applied.stderr) == (2, f"error: {fault}\n")
    assert list_runs(project, REGION) == ()


def told(answer: Answer) -> list[Any]:
    assert answer.returncode == 0, answer.stderr
    return [(each["deployment"], each["why"]) for each in json.loads(answer.stdout)]


def test_a_changed_pipeline_concerns_all_that_ask_to_be_deployed(clone: Clone) -> None:
    clone.write("four", "deploy_on_change: false")
    clone.config("two").unlink()
    base = clone.base
    clone.commit()
    dry_run = ("apply", "--dry-run", "--json")
    answer = clone.ci(*dry_run, "--base", base)
    assert told(answer) == []
    assert answer.stderr.splitlines() == [
        "configs/four.yaml: not deployed, deploy_on_change is not set",
        "configs/two.yaml: two is removed; what it deployed stays until it is torn down by hand",
    ]
    removed = clone.git("rev-parse", "HEAD")
    spec = clone.root / "compiled" / "deploy.yaml"
    spec.write_text(f"{spec.read_text()}# changed\n")
    clone.commit()
    everything = [("five", "dependency"), ("one", "dependency"), ("three", "dependency")]
    assert told(clone.ci(*dry_run, "--base", removed)) == everything
    assert told(clone.ci(*dry_run, "--base", removed, "--only", "one")) == [("one", "dependency")]
    assert "`compiled/deploy.yaml` changed" in clone.ci("plan", "--base", removed).stdout


def test_a_revision_that_is_not_there_is_named(clone: Clone) -> None:
    answer = clone.ci("plan", "--base", "1" * 40)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {'1' * 40}: the repository has no such revision")
