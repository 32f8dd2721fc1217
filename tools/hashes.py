"""Writes `constraints/*.hashes`: the packages that pip may install, each file by its hash. `make hashes` runs it.

The versions come from `constraints/project.txt`, `serving.txt` and `harness.txt`. Nothing is written if they do not
resolve to exactly the packages in these lists.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints"
# The build backend of the project's own wheel (pyproject.toml), so that pip downloads nothing else for it.
_BUILD_BACKEND = "setuptools\n"
# torch's CPU build comes from another index, whose files differ between mirrors (serving_runtime.py).
_WITHOUT_HASH = "torch"
# The second distribution: only its dependencies are listed, because it is installed from its folder.
_LOCAL_CLOUD = "localcloud/pyproject.toml"


def main() -> None:
    versions = CONSTRAINTS / "project.txt"
    extra = ("--constraint", str(versions), "pyproject.toml", "-")
    written = {
        "project.hashes": _compiled(("--extra", "dev", _LOCAL_CLOUD, *extra), _BUILD_BACKEND),
        "image.hashes": _compiled(extra, _BUILD_BACKEND),
        "serving.hashes": _compiled(("--no-deps", "--universal", "-"), _serving()),
        "harness.hashes": _compiled(("--no-deps", "--universal", str(CONSTRAINTS / "harness.txt")), ""),
        "tools.hashes": _compiled((str(CONSTRAINTS / "tools.in"),), ""),
    }
    if names(written["project.hashes"]) != names(versions.read_text()):
        sys.exit(f"{versions} is not what pyproject.toml needs: {_difference(written['project.hashes'], versions)}")
    for name, text in written.items():
        (CONSTRAINTS / name).write_text(text)


def names(text: str) -> set[tuple[str, str]]:
    """Package and version of each line `name==version`, hashes or not."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found}


def _serving() -> str:
    lines = (CONSTRAINTS / "serving.txt").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(f"{_WITHOUT_HASH}=="))


def _compiled(arguments: tuple[str, ...], given: str) -> str:
    options = ("--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet")
    # A universal list keeps its conditions on Python's version.
    place = () if "--universal" in arguments else ("--python-platform", "linux")
    uv = str(ROOT / ".venv-hashes" / "bin" / "uv")
    command = [uv, "pip", "compile", "--python-version", "3.11", *options, *place, *arguments]
    done = subprocess.run(command, input=given, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def _difference(text: str, versions: Path) -> str:
    ours, listed = names(text), names(versions.read_text())
    return f"to add {sorted(ours - listed)}, to remove {sorted(listed - ours)}"


if __name__ == "__main__":
    main()
