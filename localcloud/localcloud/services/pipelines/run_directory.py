"""The folder of one run of a pipeline, with all its temporary files; it can be deleted after the run."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from localcloud.core.pip_variables import variables_for_pip
from localcloud.services.pipelines import step_interpreter

# Names by which components call their interpreter: all start the daemon's interpreter, with its packages.
_INTERPRETERS = ("python3", "python")
# pip's configuration and cache are found by HOME.
_OF_PIP = re.compile(
    r"PIP_\w+|(https?|all|no)_proxy|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_(FILE|DIR)|NETRC|HOME|XDG_\w+_(HOME|DIRS)",
    re.IGNORECASE,
)
_SET_IN_STEPS = ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class RunDirectory:
    """The paths of one run; `create()` makes the folders and programs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.job = root / "job.json"
        self.events = root / "events.jsonl"
        self.cancel = root / "cancel"
        self.processes = root / "processes"
        self.mounted = root / "gcs"
        self.scratch = root / "scratch"
        self.workspace = root / "workspace"
        self.programs = root / "bin"
        self.fetch = self.programs / "fetch-artifact"
        self.pip = self.programs / "pip-of-step"
        self.pip_variables = root / "pip.json"
        self.site = root / "site"
        self.home = root / "home"
        self.temporary = root / "tmp"

    def create(self) -> None:
        """Makes the folders and programs. Raises FileExistsError if the folder of the run exists."""
        self.root.mkdir(parents=True, mode=0o700)
        for path in (
            self.processes,
            self.mounted,
            self.scratch,
            self.workspace,
            self.programs,
            self.site,
            self.home,
            self.temporary,
        ):
            path.mkdir()
        own = shlex.quote(sys.executable)
        environment, site = f'"${{{step_interpreter.ENVIRONMENT}}}"', shlex.quote(str(self.site))
        for name in _INTERPRETERS:
            installed = f"[ -e {environment}/bin/python ] && PYTHONPATH={site} exec {environment}/bin/python"
            _write_program(self.programs / name, f'{installed} "$@"\nexec {own} "$@"')
        for name in ("pip", "pip3"):
            _write_program(self.programs / name, f'exec {own} -m pip "$@"')
        # These programs need the daemon's PYTHONPATH; the step has another.
        python_path = shlex.quote(os.environ.get("PYTHONPATH", ""))
        ours = f"PYTHONPATH={python_path} exec {own} -P -m localcloud.services.pipelines"
        _write_program(self.fetch, f'{ours}.mounted_objects {shlex.quote(str(self.mounted))} "$@"')
        _write_program(self.pip, f'{ours}.step_packages "$@"')
        self.pip_variables.write_text(json.dumps(variables_of_pip(os.environ)))
        shutil.copyfile(step_interpreter.__file__, self.site / "sitecustomize.py")


def variables_of_pip(daemon: Mapping[str, str]) -> dict[str, str | None]:
    """The variables by which pip finds this machine's index; None for variables that only a step has set."""
    known = variables_for_pip(daemon)
    return {
        **dict.fromkeys(_SET_IN_STEPS),
        **{name: value for name, value in known.items() if _OF_PIP.fullmatch(name)},
    }


def _write_program(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
