"""Anyone's script, with `vertex-vllm local env` and nothing else, does what the tutorial does by hand."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]

REPO_ID = "vertex-vllm/SmolLM2-135M-Idefics3-demo"
# What a person's shell has, and nothing of what the tests themselves were given.
PERSON = ("PATH", "HOME", "LANG", "TMPDIR")


def command(*arguments: str, state: Path) -> str:
    argv = [sys.executable, "-m", "vertex_vllm", "local", *arguments, "--state", str(state)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a shell after `eval "$(vertex-vllm local env)"`."""
    state = tmp_path_factory.mktemp("local") / "state"
    command("up", state=state)
    try:
        command("hub", REPO_ID, state=state)
        exports = shlex.split(command("env", state=state).replace("export ", ""))
        yield {name: os.environ[name] for name in PERSON if name in os.environ} | dict(
            export.split("=", 1) for export in exports
        )
    finally:
        command("down", state=state)


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_plain_script_does_what_the_tutorial_does(exported: dict[str, str], transport: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("stranger.py").read_text()
    (tmp_path / "script.py").write_text(script)
    environment = {**exported, "HF_HOME": str(tmp_path / "hf")}
    ran = subprocess.run(
        [sys.executable, "script.py", f"stranger-{transport}", REPO_ID, transport],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.endswith("done\n"), ran.stdout[-2000:] + ran.stderr[-4000:]
