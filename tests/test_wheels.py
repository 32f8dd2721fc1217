"""Both distributions as wheels, installed into an environment without this checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from localcloud.core.pip_variables import variables_for_pip
from tests.prepared import REGION
from vertex_vllm.publishing.built import find_built
from vertex_vllm.runs.vertex_engine import pipeline_client

ROOT = Path(__file__).resolve().parents[1]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Distribution → wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = folder / "sources"  # setuptools writes beside what it builds
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(".*", "tests", "build", "*.egg-info", "__pycache__"))
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sources, sources / "localcloud")
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def command(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs the installed `vertex-vllm`. The packages that it depends on are those of this environment."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    _pip("--python", python, "install", "--no-deps", "--no-index", *wheels.values())
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file: the .pth files of that folder itself, which lead to this checkout, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def run(*arguments: str | Path, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        program = [folder / "bin" / "vertex-vllm", *arguments]
        return subprocess.run(
            program, capture_output=True, text=True, check=False, env=known | variables, cwd=cwd, timeout=300
        )

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text("name: small\nmodel:\n  id: meta-llama/Llama-3.1-8B\n")
    return path


def test_each_wheel_installs_one_top_level_package(wheels: Mapping[str, Path]) -> None:
    found = {}
    for name, wheel in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            found[name] = {path.partition("/")[0] for path in archive.namelist()}
    assert found == {
        "vertex_vllm": {"vertex_vllm", "vertex_vllm-0.1.0.dist-info"},
        "vertex_localcloud": {"localcloud", "vertex_localcloud-0.1.0.dist-info"},
    }


def test_the_wheel_has_the_files_of_the_repository_that_commands_read(wheels: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(wheels["vertex_vllm"]) as archive:
        names = [name.removeprefix("vertex_vllm/") for name in archive.namelist()]
        specs = {name: archive.read(f"vertex_vllm/{name}") for name in names if name.startswith("compiled/")}
    lists = {f"constraints/{name}" for name in ("serving.txt", "serving.hashes", "image.hashes")}
    assert {*lists, "configs/smollm2-135m-idefics3.yaml"} <= set(names)
    assert specs == {f"compiled/{path.name}": path.read_bytes() for path in (ROOT / "compiled").glob("*.yaml")}


@pytest.mark.slow
def test_a_config_is_checked_and_planned(command: Command, config: Path, tmp_path: Path) -> None:
    checked = command("validate", config, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    planned = command("plan", config, "--json", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["model_id"] == "meta-llama/Llama-3.1-8B"


@pytest.mark.slow
def test_a_run_is_submitted(command: Command, config: Path, ready_project: str, tmp_path: Path) -> None:
    answer = command("submit", config, "--pipeline", "teardown", "--project", ready_project, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    job = pipeline_client(REGION).get_pipeline_job(name=answer.stdout.strip())
    executors = job.pipeline_spec["deploymentSpec"]["executors"].values()
    assert {each["container"]["image"] for each in executors} == {find_built(ready_project, REGION).name}
    assert job.service_account == f"vertex-vllm-pipeline@{ready_project}.iam.gserviceaccount.com"


@pytest.mark.slow
def test_a_run_on_a_local_cloud_of_the_wheel_succeeds(command: Command, config: Path, tmp_path: Path) -> None:
    options = ("--pipeline", "teardown", "--local", "--project", "of-the-wheel", "--wait")
    try:
        answer = command("submit", config, *options, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        status = command("local", "status", cwd=tmp_path).stdout
        assert re.match(r"State +up, pid \d+\n", status)
    finally:
        stopped = command("local", "down", cwd=tmp_path)
    assert stopped.returncode == 0, stopped.stderr


@pytest.mark.slow
def test_without_the_local_cloud_its_commands_say_what_to_install(wheels: Mapping[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(wheels["vertex_vllm"]) as archive:
        archive.extractall(tmp_path / "site")
    path = os.pathsep.join([str(tmp_path / "site"), sysconfig.get_path("purelib")])
    # -I: neither the folder of this file nor the .pth files that lead to this checkout.
    code = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from vertex_vllm.cli import main; main(sys.argv[1:])"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, path, "local", "up"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr == (
        "error: the local cloud is not installed. Install it from the checkout: the folder localcloud, and vertex-vllm "
        "with its extra `local`\n"
    )


def _pip(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=variables_for_pip(os.environ),
    )
    assert done.returncode == 0, done.stderr
