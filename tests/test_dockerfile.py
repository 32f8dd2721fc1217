"""The image of the steps, without Docker: its instructions followed in a clean virtual environment."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from localcloud.core.pip_variables import variables_for_pip
from vertex_vllm.publishing.image_bill import canonical_name

ROOT = Path(__file__).resolve().parent.parent


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), line continuations joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def copy(sources: list[str], target: Path) -> None:
    for source in sources:
        path = ROOT / source
        if path.is_dir():
            shutil.copytree(path, target / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin/python of an environment that was made as the image is."""
    folder = tmp_path_factory.mktemp("image")
    app = folder / "app"
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    for instruction, rest in instructions():
        if instruction == "COPY":
            *sources, target = rest.split()
            copy(sources, app if target.endswith(tuple(sources)) else app / target)
        if instruction == "RUN" and "pip install" in rest:
            command = rest.replace("python -m pip", f"{python} -m pip").replace("--no-cache-dir", "--quiet")
            subprocess.run(command, shell=True, check=True, cwd=app, env=variables_for_pip(os.environ))
    return python


def run(python: Path, code: str) -> str:
    """Runs outside the tree, so that only what is installed can be imported."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run([str(python), "-P", "-c", code], capture_output=True, text=True, cwd="/", env=environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_image_is_based_on_the_oldest_python_that_the_project_supports() -> None:
    version = re.search(r'requires-python = ">=(.+)"', (ROOT / "pyproject.toml").read_text())
    assert version is not None
    (base,) = (rest for instruction, rest in instructions() if instruction == "FROM")
    assert base.partition("@")[0] == f"python:{version[1]}-slim"


def test_the_steps_do_not_run_as_root() -> None:
    (user,) = (rest for instruction, rest in instructions() if instruction == "USER")
    # Kubernetes refuses a user's name under runAsNonRoot.
    assert int(user) > 0
    assert any(
        instruction == "RUN" and f"useradd --create-home --uid {user} " in rest for instruction, rest in instructions()
    )


@pytest.mark.slow
def test_everything_that_a_step_of_a_shipped_spec_imports_is_in_the_image(image: Path) -> None:
    imports = set()
    for spec in (ROOT / "compiled").glob("*.yaml"):
        for executor in yaml.safe_load(spec.read_text())["deploymentSpec"]["executors"].values():
            source = executor["container"]["command"][-1]
            imports |= set(
                re.findall(r"^\s+(from vertex_vllm\S* import .+|import google_cloud\S+)$", source, re.MULTILINE)
            )
    assert len(imports) > 10
    run(image, "\n".join(statement.strip() for statement in sorted(imports)))


@pytest.mark.slow
def test_the_image_s_bill_is_of_what_is_installed_in_it(image: Path, tmp_path: Path) -> None:
    """The bill's Debian packages are those of this machine, if it has any."""
    (command,) = (rest for instruction, rest in instructions() if "image_bill" in rest)
    program = command.replace("python ", f"{image} ", 1).rsplit(maxsplit=1)[0].split()
    wrote = subprocess.run([*program, str(tmp_path / "bill")], capture_output=True, text=True, cwd="/", check=False)
    assert wrote.returncode == 0, wrote.stderr
    components = json.loads((tmp_path / "bill").read_text())["components"]
    bill = {each["purl"].partition("?")[0] for each in components if each["purl"].startswith("pkg:pypi/")}
    frozen = subprocess.run([str(image), "-m", "pip", "list", "--format=json"], capture_output=True, check=True)
    packages = {(canonical_name(each["name"]), each["version"]) for each in json.loads(frozen.stdout)}
    assert bill == {f"pkg:pypi/{name}@{version}" for name, version in packages}
    unlisted = {
        each["name"] for each in components if each["purl"].startswith("pkg:pypi/") and "properties" not in each
    }
    assert unlisted <= {"pip", "vertex-vllm"}
    stranger = tmp_path / "site" / "stranger-1.0.dist-info"
    stranger.mkdir(parents=True)
    (stranger / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    refused = subprocess.run(
        [*program, str(tmp_path / "other")], capture_output=True, text=True, cwd="/", check=False, env=environment
    )
    assert refused.returncode == 1
    assert "the installed packages are not the listed ones: stranger 1.0 is not listed" in refused.stderr


@pytest.mark.slow
def test_the_image_holds_the_data_of_the_library_and_not_the_local_cloud(image: Path) -> None:
    code = """
import importlib.util
from vertex_vllm.catalog import load_catalog
from vertex_vllm.evaluation.suites.shipped_suites import shipped_suite
from vertex_vllm.evaluation import evaluation_report
from vertex_vllm.inference.smoke import picture_uri
print(len(load_catalog().machines) > 10, len(shipped_suite("text-and-image").items) > 800, picture_uri()[:22])
print(importlib.util.find_spec("localcloud"), importlib.util.find_spec("uvicorn"))
"""
    assert run(image, code) == "True True data:image/png;base64,\nNone None\n"


@pytest.mark.slow
def test_the_versions_in_the_image_are_the_pinned_ones(image: Path) -> None:
    frozen = subprocess.run([str(image), "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True)
    installed = {canonical_name(line) for line in frozen.stdout.splitlines()}
    pinned = {canonical_name(line) for line in (ROOT / "constraints" / "project.txt").read_text().splitlines()}
    tools = {"pip", "setuptools", "wheel", "vertex-vllm"}
    assert {line for line in installed - pinned if line.split("==")[0] not in tools} == set()
