"""A script without this project runs the tutorial's steps, with nothing but `vertex-vllm local env`."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from localcloud.daemon import Connection
from tests.chaos.repository import write_repository
from tests.demo_project import Served
from tests.vertex_vllm.model_server import PROGRAM

pytestmark = pytest.mark.parity("local cloud only")

REPO_ID = "vertex-vllm/SmolLM2-135M-Idefics3-demo"
# Variables of a person's shell, without those of the tests themselves.
PERSON = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def command(*arguments: str, state: Path) -> str:
    argv = [sys.executable, "-m", "vertex_vllm", "local", *arguments, "--state", str(state)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture(
    scope="module",
    params=["model server", pytest.param("vLLM", marks=[pytest.mark.vllm, pytest.mark.slow])],
)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a shell after `eval "$(vertex-vllm local env)"`."""
    folder = tmp_path_factory.mktemp("local")
    state = folder / "state"
    command("up", state=state)
    try:
        if request.param == "vLLM":
            command("hub", REPO_ID, state=state)
        else:
            write_repository(folder / "model", large=False)
            command("hub", REPO_ID, "--from", str(folder / "model"), state=state)
            row = {"image": "*vllm*", "command": ["{python}", PROGRAM]}
            (state / "images.yaml").write_text(yaml.safe_dump({"images": [row]}))
        exports = shlex.split(command("env", state=state).replace("export ", ""))
        yield PERSON | dict(export.split("=", 1) for export in exports)
    finally:
        command("down", state=state)


def run_script(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    """Runs a copy of the script in a folder where nothing of this project is found."""
    (folder / "script.py").write_text(Path(__file__).with_name("stranger.py").read_text())
    ran = subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env={**environment, "HF_HOME": str(folder / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.endswith("done\n"), ran.stdout[-2000:] + ran.stderr[-4000:]


@pytest.mark.parametrize("transport", ["rest", pytest.param("grpc", marks=pytest.mark.slow)])
def test_a_plain_script_does_what_the_tutorial_does(exported: dict[str, str], transport: str, tmp_path: Path) -> None:
    run_script(tmp_path, exported, "serve", f"stranger-{transport}", REPO_ID, transport)


@pytest.mark.vllm
def test_a_plain_script_asks_what_the_pipeline_has_deployed(
    cloud: Connection, served_text: Served, tmp_path: Path
) -> None:
    run_script(tmp_path, PERSON | cloud.environment, "ask", served_text.endpoint)


@pytest.mark.vllm
def test_a_plain_script_asks_about_a_picture(cloud: Connection, served_image: Served, tmp_path: Path) -> None:
    run_script(tmp_path, PERSON | cloud.environment, "ask", served_image.endpoint, "PICTURES")
