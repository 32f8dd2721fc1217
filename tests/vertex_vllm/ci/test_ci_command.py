"""`vertex-vllm ci plan` on a git history: exit codes, the comment's file, and files that are not read."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.vertex_vllm.ci.test_concerned_configs import Clone
from vertex_vllm.cli.ci_command import ci
from vertex_vllm.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
SPEC = (ROOT / "compiled" / "deploy.yaml").read_text()
CONFIG = "name: {}\nmodel:\n  id: meta-llama/Llama-3.1-8B\nserving:\n  machine_type: g2-standard-12\n"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    (tmp_path / "clone").mkdir()
    made = Clone(tmp_path / "clone")
    made.commit({"compiled/deploy.yaml": SPEC, "configs/a.yaml": CONFIG.format("one")})
    return made


def plan(clone: Clone, *options: str) -> Result:
    return CliRunner().invoke(ci, ["plan", "--base", "HEAD^1", "--repository", str(clone.root), *options])


def test_a_config_that_would_be_skipped_ends_the_plan_with_its_name(clone: Clone) -> None:
    clone.commit({"configs/b.yml": CONFIG.format("two"), "services/chat/configs/c.yaml": CONFIG.format("three")})
    told = plan(clone)
    assert isinstance(told.exception, ConfigError)
    assert told.exception.exit_code == 2
    assert str(told.exception).splitlines() == [
        "configs/b.yml: is not read: configs end in .yaml. Rename it",
        "services/chat/configs/c.yaml: looks like a config and is not read. Move it below configs/ at the "
        "repository's root",
    ]
    assert "2 files that may be configs are not read" in told.stdout


@pytest.mark.parametrize(
    ("path", "encoding", "words"),
    [
        ("configs/b.yaml", "utf-16", "configs/b.yaml:1: is in UTF-16, not in UTF-8. Save it as UTF-8"),
        ("configs/b.yaml", "utf-16-le", "configs/b.yaml:1: is in UTF-16, not in UTF-8. Save it as UTF-8"),
        ("configs/b.yaml", "latin-1", "configs/b.yaml:1: is not UTF-8 text: byte 91 cannot be read. Save it as UTF-8"),
        ("configs/b.json", "utf-16", "configs/b.json: looks like a config and is not read"),
        ("deployments/b.yaml", "utf-16", "deployments/b.yaml: looks like a config and is not read"),
        ("deployments/b.yaml", "latin-1", "deployments/b.yaml: looks like a config and is not read"),
    ],
)
def test_a_config_in_another_encoding_is_told_as_such(clone: Clone, path: str, encoding: str, words: str) -> None:
    place = clone.root / path
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(f"{CONFIG.format('two')}# größe\n".encode(encoding))
    clone.commit({})
    told = plan(clone)
    assert isinstance(told.exception, ConfigError)
    assert str(told.exception).startswith(words)


def test_a_config_that_is_saved_in_another_encoding_is_not_called_removed(clone: Clone) -> None:
    (clone.root / "configs/a.yaml").write_bytes(CONFIG.format("one").encode("utf-16"))
    clone.commit({})
    told = plan(clone)
    assert "configs/a.yaml:1: is in UTF-16" in str(told.exception)
    assert "is removed" not in told.output


def test_a_link_is_a_fault_as_long_as_it_is_there(clone: Clone) -> None:
    (clone.root / "configs" / "b.yaml").symlink_to("a.yaml")
    clone.commit({})
    clone.commit({"README.md": "unrelated"})
    assert "symbolic link" in str(plan(clone).exception)


def test_a_renamed_config_is_the_same_deployment_and_the_comment_has_its_file(clone: Clone, tmp_path: Path) -> None:
    clone.git("mv", "configs/a.yaml", "configs/renamed.yaml")
    clone.commit({})
    short = tmp_path / "comment.md"
    told = plan(clone, "--comment", str(short))
    assert (told.exception, told.exit_code) == (None, 0)
    assert "`one` (`configs/renamed.yaml`, renamed from `configs/a.yaml`)" in told.stdout
    assert "is removed" not in told.output
    assert short.read_text() == told.stdout


def test_a_config_under_a_name_that_is_not_read_is_not_called_removed(clone: Clone) -> None:
    clone.git("mv", "configs/a.yaml", "configs/a.YAML")
    clone.commit({})
    told = plan(clone)
    assert "configs/a.YAML: is not read" in str(told.exception)
    assert "is removed" not in told.output


def test_a_deployment_whose_name_is_gone_is_removed_although_its_file_stays(clone: Clone) -> None:
    clone.commit({"configs/a.yaml": CONFIG.format("other")})
    assert "`one` (`configs/a.yaml`) is removed. What it deployed stays" in plan(clone).stdout


def test_a_first_push_is_called_one(clone: Clone) -> None:
    told = CliRunner().invoke(ci, ["plan", "--base", "0" * 40, "--repository", str(clone.root)])
    assert "first push of a branch" in str(told.exception)
