"""The workflow of `vertex-vllm init` installs one wheel by its hash, and by that wheel's own list all it needs."""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from localcloud.core.pip_variables import variables_for_pip
from vertex_vllm.cli.init_files import workflow_text

DIGEST = "5e" * 32


def installations() -> Iterator[str]:
    """Scripts of the steps that install, one a job."""
    for job in yaml.safe_load(workflow_text())["jobs"].values():
        for step in job["steps"]:
            if "pip install" in step.get("run", ""):
                yield step["run"]


def run(script: str, package: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a script as GitHub does, with a Python whose packages are in `folder`."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    environment = variables_for_pip(os.environ) | {
        "PACKAGE": package,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PIP_TARGET": str(folder / "site"),
        "PYTHONPATH": str(folder / "site"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A small vertex-vllm, which lists no package."""
    path = tmp_path / "vertex_vllm-0.1.0-py3-none-any.whl"
    information = "vertex_vllm-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vertex_vllm/__init__.py", "")
        archive.writestr("vertex_vllm/shipped.py", "def shipped(path): return f'{__file__}/../{path}'")
        archive.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: vertex-vllm\nVersion: 0.1.0\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return path


def test_every_job_installs_alike() -> None:
    scripts = list(installations())
    assert len(scripts) == 3
    assert len(set(scripts)) == 1


@pytest.mark.parametrize(
    "package",
    [
        *("", "vertex-vllm", "vertex-vllm==0.1.0", "git+https://github.com/owner/name@0123456789abcdef"),
        *("https://example.com/vertex_vllm-0.1.0-py3-none-any.whl", f"https://example.com/a.tar.gz#sha256={DIGEST}"),
        *("https://example.com/a.whl#sha256=5e", f"https://example.com/a.whl#sha256={DIGEST}&x", f"a.whl#md5={DIGEST}"),
    ],
)
def test_a_package_without_its_hash_is_not_installed(package: str, tmp_path: Path) -> None:
    answer = run(next(installations()), package, tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "VERTEX_VLLM_PACKAGE is not https://…/….whl#sha256=…\n"


def test_another_wheel_in_its_place_is_refused(wheel: Path, tmp_path: Path) -> None:
    answer = run(next(installations()), f"{wheel.as_uri()}#sha256={DIGEST}", tmp_path)
    assert answer.returncode == 1
    assert "DO NOT MATCH THE HASHES" in answer.stderr
    assert not (tmp_path / "site").exists()


@pytest.mark.slow
def test_the_wheel_of_that_hash_is_installed_and_its_list_asked_for(wheel: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    answer = run(next(installations()), f"{wheel.as_uri()}#sha256={digest}", tmp_path)
    assert (tmp_path / "site" / "vertex_vllm" / "shipped.py").exists()
    assert "constraints/image.hashes" in answer.stderr  # which the small wheel does not have
