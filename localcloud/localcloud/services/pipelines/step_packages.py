"""pip of a step: each list of packages has an environment of its own, cached for later steps.

`python -m localcloud.services.pipelines.step_packages install ARGUMENT…` does what `pip install` does in a container.
"""

import hashlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from localcloud.core.cache import cache_directory, making
from localcloud.services.pipelines import step_interpreter
from localcloud.services.pipelines.run_directory import RunDirectory

_BASE = "LOCALCLOUD_STEP_BASE"
_HISTORY = "LOCALCLOUD_STEP_PIP_HISTORY"
# Images with only Python and pip. Any other image is assumed to have this machine's packages.
_BARE_IMAGE = re.compile(r"(docker\.io/)?(library/)?python([:@].*)?")
_QUIET_OPTIONS = frozenset(
    ("--quiet", "-q", "--no-warn-script-location", "--no-deps", "--disable-pip-version-check", "--no-cache-dir")
)
_COMPLETE = "complete"
_READING = ("list", "show", "freeze", "check", "config", "index", "cache", "debug", "help", "--version", "-V")

# `_install_python_packages_script_template` of kfp 2, in every version.
_PREAMBLE = re.compile(r'.*?PIP_DISABLE_PIP_VERSION_CHECK=1 (python3 -m pip install .*?) && "\$0" "\$@"\s*', re.DOTALL)
_INSTALL = re.compile(r"\s*python3 -m pip install (.*)", re.DOTALL)


def step_variables(directory: RunDirectory, scratch: Path, image: str) -> dict[str, str]:
    """The variables that make a step's Python install packages for that step only."""
    python_path = [str(directory.site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(python_path),
        step_interpreter.PIP: str(directory.pip),
        step_interpreter.PIP_VARIABLES: str(directory.pip_variables),
        step_interpreter.ENVIRONMENT: str(scratch / step_interpreter.MADE_FOR_STEP),
        step_interpreter.RUN: str(directory.root),
        _HISTORY: str(scratch / ".pip.json"),
        _BASE: "bare" if _BARE_IMAGE.fullmatch(image) else "layered",
    }


def without_satisfied_install(command: Sequence[str]) -> list[str]:
    """A Python component's command without its `pip install`, if all packages are already installed."""
    match list(command):
        case ["sh", "-c", script, "sh", *component] if (preamble := _PREAMBLE.fullmatch(script)) and component:
            installs = [_INSTALL.fullmatch(part) for part in preamble[1].split(" && ")]
            if all(found and is_satisfied(shlex.split(found[1])) for found in installs):
                return ["sh", *component]
    return list(command)


def is_satisfied(arguments: Iterable[str]) -> bool:
    """Whether this Python environment has every package of a `pip install`, by name and version."""
    for argument in arguments:
        if argument in _QUIET_OPTIONS:
            continue
        try:
            requirement = Requirement(argument)
            if requirement.marker and not requirement.marker.evaluate():
                continue
            version = importlib.metadata.version(requirement.name)
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            return False
        if requirement.url or requirement.extras or not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def environment_key(base: str, lists: Sequence[Sequence[str]], files: Mapping[str, str]) -> str:
    """Name of an environment: equal for equal Python, base, ordered package lists and contents of `files`."""
    content = [sys.version, sys.base_prefix, base, [list(each) for each in lists], dict(sorted(files.items()))]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _environments() -> Path:
    return cache_directory() / "step-environments"


def _installed_here() -> str:
    """Hash of this machine's packages, on which layered environments are built."""
    found = sorted(f"{each.name}=={each.version}" for each in importlib.metadata.distributions())
    return hashlib.sha256("\n".join([sys.prefix, *found]).encode()).hexdigest()


def _files_in(arguments: Iterable[str]) -> dict[str, str] | None:
    """The arguments that are files, with their SHA-256; None if an argument is a folder."""
    files = {}
    for argument in arguments:
        path = Path(argument.partition("[")[0])
        if path.is_dir():
            return None
        if path.is_file():
            files[argument] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


def _install(arguments: list[str]) -> int:
    history_file, link = Path(os.environ[_HISTORY]), Path(os.environ[step_interpreter.ENVIRONMENT])
    history: list[list[str]] = json.loads(history_file.read_text()) if history_file.exists() else []
    if not history and is_satisfied(arguments):
        return 0
    lists = [*history, arguments]
    files = _files_in(word for each in lists for word in each)
    layered = os.environ[_BASE] == "layered"
    if files is None:  # a folder's content has no hash here, so this step shares its environment with no other
        target = link.with_name(f"{step_interpreter.MADE_FOR_STEP}-{len(lists)}")
    else:
        base = f"layered {_installed_here()}" if layered else "bare"
        target = _environments() / environment_key(base, lists, files)
    with making(target, lambda: None):
        status = 0 if (target / _COMPLETE).exists() else _build(target, lists, layered)
    if status == 0:
        history_file.write_text(json.dumps(lists))
        _point(link, target)
    return status


def _build(target: Path, lists: Sequence[Sequence[str]], layered: bool) -> int:
    shutil.rmtree(target, ignore_errors=True)
    variables = _pip_variables()
    # `--without-pip`, because pip's installation takes seconds: this environment's pip installs into the new one.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True, env=variables)
    pip = [sys.executable, "-m", "pip", "--python", str(target / "bin" / "python")]
    if layered:
        packages = next(target.glob("lib/python*/site-packages"))
        here = [entry for entry in sys.path if entry and Path(entry).is_dir() and entry not in _standard_library()]
        (packages / "base.pth").write_text("".join(f"{entry}\n" for entry in here))
    for arguments in lists:
        options = ["--disable-pip-version-check", "--no-input"]
        done = subprocess.run([*pip, "install", *options, *arguments], check=False, env=variables)
        if done.returncode:
            shutil.rmtree(target, ignore_errors=True)
            return done.returncode
    (target / _COMPLETE).touch()
    return 0


def _standard_library() -> list[str]:
    code = "import sys; print('\\n'.join(sys.path))"
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True, env=_pip_variables()
    )
    return told.stdout.splitlines()


def _pip_variables() -> dict[str, str]:
    """The step's variables with this machine's index, without variables that change an interpreter."""
    found: dict[str, Any] = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LOCALCLOUD_"))
    }
    found |= json.loads(Path(os.environ[step_interpreter.PIP_VARIABLES]).read_text())
    return {name: value for name, value in found.items() if value is not None}


def _point(link: Path, target: Path) -> None:
    """Replaces the link atomically, because an interpreter of the step may start meanwhile."""
    arriving = link.with_name(f"{link.name}.new")
    arriving.unlink(missing_ok=True)
    arriving.symlink_to(target)
    arriving.replace(link)


def main() -> int:
    command, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("help", [])
    if command == "install":
        return _install(arguments)
    if command not in _READING and command not in ("download", "wheel", "hash"):
        print(f"pip {command} is not supported in a step of the local cloud: its packages are kept.", file=sys.stderr)
        return 1
    own = Path(os.environ[step_interpreter.ENVIRONMENT]) / "bin" / "python"
    of_step = ["--python", str(own)] if own.exists() else []
    return subprocess.run(
        [sys.executable, "-m", "pip", *of_step, *sys.argv[1:]], check=False, env=_pip_variables()
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
