"""Changes the Python of a step: artifacts have local paths, and pip installs packages for this step only.

A step's interpreter imports a copy of this file as `sitecustomize`. The file needs only the standard library and
works with every kfp 2.
"""

import builtins
import errno
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_ARTIFACT_TYPES = "kfp.dsl.types.artifact_types"
MOUNT = "LOCALCLOUD_GCS_MOUNT"
OWN_FOLDER = "LOCALCLOUD_RUN_FOLDER"
"""`gs://…` folder of the run: its content is in the mounted folder because its tasks wrote it there."""
FETCH = "LOCALCLOUD_FETCH"
"""A program that copies the object at its argument, a `gs://` address, into the mounted folder."""

PIP = "LOCALCLOUD_PIP"
"""A program that runs pip's commands for an environment of the step's own."""
PIP_VARIABLES = "LOCALCLOUD_PIP_VARIABLES"
"""A JSON file: the variables by which pip finds its index on this machine; null: not set on this machine."""
ENVIRONMENT = "LOCALCLOUD_STEP_ENVIRONMENT"
"""A link to the environment with the step's packages; missing until the first installation."""
RUN = "LOCALCLOUD_RUN"
"""The folder of the run: a step's pip may only change environments that the step has made below it."""
MADE_FOR_STEP = ".python"
"""Prefix of the names of environments that the local cloud, rather than the step itself, made."""

_GCS = "/gcs"
_FETCHED: dict[str, str] = {}


def redirect(module: Any) -> None:
    """Replaces /gcs in kfp's module of artifact types by the mounted folder. Does nothing outside a step."""
    mount = os.environ.get(MOUNT)
    if not mount or f"{mount}/" == module._GCS_LOCAL_MOUNT_PREFIX:
        return
    module._GCS_LOCAL_MOUNT_PREFIX = f"{mount}/"
    path_of = module.Artifact._get_path

    def path(artifact: Any) -> Any:
        found = path_of(artifact)
        if isinstance(found, str) and found.startswith(f"{mount}/"):
            _fetch(f"gs://{found[len(mount) + 1 :]}", "all")
        return found

    module.Artifact._get_path = path


def _fetch(uri: str, what: str) -> None:
    """Copies an object, once per process: later, the component may have written to the path itself.

    `what`: `all` for the object or all objects below it, `entry` for the object or an empty folder in its place. Raises
    PermissionError if the object cannot be read.
    """
    if f"{uri}/".startswith(os.environ[OWN_FOLDER]) or _FETCHED.get(uri) in ("all", what):
        return
    _FETCHED[uri] = what
    told = subprocess.run([os.environ[FETCH], uri, what], stderr=subprocess.PIPE, text=True, check=False)
    if told.returncode:
        raise PermissionError(told.stderr.strip())


def redirect_files() -> None:
    """Makes Python's own functions find `/gcs/BUCKET/OBJECT`. Other programs, and libraries in C, do not find it."""
    mount = os.environ.get(MOUNT)
    if not mount or os.path.isdir(_GCS):
        return
    builtins.open = io.open = _redirected(builtins.open, mount, "entry")
    for name in ("open", "stat", "lstat", "access", "mkdir", "chmod", "utime", "rmdir"):
        setattr(os, name, _redirected(getattr(os, name), mount, "entry"))
    for name in ("listdir", "scandir"):
        setattr(os, name, _redirected(getattr(os, name), mount, "all"))
    for name in ("remove", "unlink", "rename", "replace"):
        setattr(os, name, _redirected(getattr(os, name), mount, ""))


def _redirected(function: Any, mount: str, what: str) -> Any:
    """`function` with each positional path below /gcs replaced. `what`: as in `_fetch`; "": renames or removes."""

    @functools.wraps(function)
    def redirected(*arguments: Any, **options: Any) -> Any:
        return function(*(_local(each, mount, what) for each in arguments), **options)

    # The standard library looks a function up in these sets before it uses the function's options.
    for able in (os.supports_dir_fd, os.supports_effective_ids, os.supports_fd, os.supports_follow_symlinks):
        if function in able:
            able.add(redirected)
    return redirected


def _local(argument: Any, mount: str, what: str) -> Any:
    path = os.fspath(argument) if isinstance(argument, os.PathLike) else argument
    if not isinstance(path, str) or not path.startswith(f"{_GCS}/"):
        return argument
    uri, local = f"gs://{path[len(_GCS) + 1 :]}".rstrip("/"), f"{mount}{path[len(_GCS) :]}"
    if what:
        _fetch(uri, what)
    elif uri in _FETCHED:
        raise OSError(errno.ENOTSUP, "the local cloud cannot remove or rename an object by its path", path)
    return local


class _WhenImported(importlib.abc.MetaPathFinder):
    """Redirects kfp's module when it is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _ARTIFACT_TYPES:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_redirect(module: ModuleType) -> None:
            execute(module)
            redirect(module)

        spec.loader.exec_module = execute_and_redirect  # type: ignore[method-assign]
        return spec


class _InstalledMeanwhile(importlib.abc.MetaPathFinder):
    """Finds modules, after all other finders, that the step has installed since its interpreter started."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = os.path.join(os.environ.get(ENVIRONMENT, ""), "lib", version, "site-packages")
        if path is not None or not os.path.isdir(packages) or packages in sys.path:
            return None
        sys.path.append(packages)
        return importlib.machinery.PathFinder.find_spec(fullname, [packages], target)


def pip_arguments(command: Sequence[str]) -> list[str] | None:
    """pip's arguments in an interpreter's command line; None if the command line does not run pip."""
    words = list(command[1:])
    while words and words[0].startswith("-") and words[0] != "-m":
        words.pop(0)
    if words[:2] == ["-m", "pip"]:
        return words[2:]
    return words[1:] if words and os.path.basename(words[0]) in ("pip", "pip3") else None


def _divert_pip() -> None:
    """Replaces a pip process by the program in `PIP`. In an environment that the step made, only sets pip's index."""
    arguments = pip_arguments(sys.orig_argv)
    if arguments is None or PIP not in os.environ:
        return
    # The path of the step's environment contains a link.
    own, run = os.path.realpath(sys.prefix), os.path.realpath(os.environ[RUN])
    if not own.startswith(f"{run}{os.sep}") or os.path.basename(own).startswith(MADE_FOR_STEP):
        os.execv(os.environ[PIP], [os.environ[PIP], *arguments])
    with open(os.environ[PIP_VARIABLES]) as file:
        variables: dict[str, str | None] = json.load(file)
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _run_the_one_that_this_hides() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def prepare() -> None:
    """Must run in a step's interpreter before the step's own code."""
    redirect_files()
    sys.meta_path.append(_InstalledMeanwhile())
    module = sys.modules.get(_ARTIFACT_TYPES)
    if module is None:
        sys.meta_path.insert(0, _WhenImported())
    else:
        redirect(module)


if __name__ == "sitecustomize":
    _divert_pip()
    prepare()
    _run_the_one_that_this_hides()
