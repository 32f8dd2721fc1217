"""The command line as a person meets it: one line for a mistake, exit code 2, no traceback, nothing created."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.daemon import Connection
from tests.vertex_vllm.cli.documented_commands import ROOT, vertex_vllm
from vertex_vllm.cli import COMMANDS
from vertex_vllm.cli.table import text_table

GOOD = (ROOT / "configs" / "llama-3.1-8b-instruct.yaml").read_text()


def test_the_entry_point_is_the_command_line(tmp_path: Path) -> None:
    """All other commands of these tests run in this process."""
    command = [sys.executable, "-m", "vertex_vllm", "validate", "no-such-file.yaml"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "error: no-such-file.yaml:1: no such file\n"


def test_help_lists_every_command() -> None:
    answer = vertex_vllm("--help")
    assert answer.returncode == 0
    assert [name for name in COMMANDS if name not in answer.stdout] == []


def test_validate_accepts_every_shipped_config() -> None:
    configs = sorted((ROOT / "configs").glob("*.yaml"))
    answer = vertex_vllm("validate", *configs)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "".join(f"{path}: ok\n" for path in configs)


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("name:", "nam: x\nname:", "nam", "Did you mean name?"),
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct", "model.id", "owner/name"),
        ("keep_endpoint: true", "keep_endpoint: perhaps", "keep_endpoint", "true or false"),
        ("us-central1", "mars-north1", "google_cloud.region", "mars-north1"),
        ("serving:", "serving:\n  min_replica_count: -1", "serving.min_replica_count", "1"),
        ("serving:", "serving:\n  machine_type: g2-standard-9", "serving.machine_type", "g2-standard-8"),
    ],
    ids=["unknown field", "model without owner", "wrong type", "region", "negative count", "machine"],
)
def test_a_mistake_in_a_config_is_one_line_with_file_and_field(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    config = tmp_path / "mistake.yaml"
    text = GOOD if old in GOOD else f"{GOOD}\n{old}\n"
    config.write_text(text.replace(old, new, 1))
    for command in ("validate", "plan", "submit"):
        answer = vertex_vllm(command, config)
        assert answer.returncode == 2, answer
        (line,) = answer.stderr.splitlines()
        assert line.startswith(f"error: {config}:")
        assert f" {field}: " in line
        assert words in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "no-such-file.yaml"), "no-such-file.yaml"),
        (("submit", "configs/llama-3.1-8b.yaml", "--set", "machine=x", "--project", "some-project"), "machine_type"),
        (("submit", "configs/llama-3.1-8b.yaml", "--set", "spot=maybe", "--project", "some-project"), "--set spot"),
        (("local", "env", "--state", "no-such-state"), "vertex-vllm local up"),
        (("local", "up", "--state", "README.md/below"), "README.md/below: cannot be made"),
        (("bootstrap", "--project", "Some Project", "--region", "us-central1"), "--project: `Some Project`"),
        (("bootstrap", "--project", "some-project", "--region", "mars-west1"), "--region: unknown region mars-west1"),
        (
            ("publish", "--project", "some-project", "--region", "mars-west1", "--image", "x"),
            "--region: unknown region",
        ),
    ],
    ids=[
        *("no file", "unknown parameter", "wrong type", "cloud is down", "state is below a file"),
        *("project of bootstrap", "region of bootstrap", "region of publish"),
    ],
)
def test_a_mistake_in_the_arguments_says_what_to_do(arguments: tuple[str, ...], words: str) -> None:
    answer = vertex_vllm(*arguments)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert words in line


def test_plan_as_json_is_the_plan() -> None:
    answer = vertex_vllm("plan", "configs/llama-3.2-11b-vision-instruct.yaml", "--json")
    plan = json.loads(answer.stdout)
    assert (plan["machine_type"], plan["accelerator_type"]) == ("g2-standard-24", "NVIDIA_L4")
    assert plan["alternatives"][0]["machine_type"] == "a2-highgpu-1g"
    assert [line["name"] for line in plan["memory"]["deducted"]][:2] == ["weights", "activation"]
    assert plan["image"].endswith(":20250710_0916_RC01")


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "configs/llama-3.1-8b.yaml", "--project", "some-project"),
        ("runs", "list", "--project", "some-project"),
        ("endpoints", "list", "--project", "some-project"),
        ("inventory", "--project", "some-project"),
        ("teardown", "some-deployment", "--project", "some-project"),
        ("sweep", "--project", "some-project"),
        ("schedule", "list", "--project", "some-project"),
        ("bootstrap", "--check", "--project", "some-project", "--region", "us-central1"),
        (
            *("publish", "--project", "some-project", "--region", "us-central1", "--commit", "abcdef0"),
            *("--image", f"us-docker.pkg.dev/p/r/python-steps@sha256:{'0' * 64}"),
        ),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_credentials_a_command_says_how_to_get_them(
    cloud: Connection, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in cloud.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    answer = vertex_vllm(*arguments)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "gcloud auth application-default login" in answer.stderr.splitlines()[-1]


def test_what_others_wrote_does_not_steer_the_terminal(tmp_path: Path) -> None:
    answer = vertex_vllm("validate", tmp_path / "\x1b[2J\x1b]0;owned\x07.yaml")
    assert answer.returncode == 2
    assert answer.stderr == f"error: {tmp_path}/[2J]0;owned.yaml:1: no such file\n"
    assert text_table(("name",), [("a\x1b[31m\u202eb\n",)]) == "name\na[31mb\n"
