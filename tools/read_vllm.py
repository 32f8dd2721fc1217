"""Reads a version of vLLM into the catalogue's tables: one command for each release.

    python -m tools.read_vllm 0.26.0                  # the wheel of PyPI: unpacked, read, deleted
    python -m tools.read_vllm 0.26.0 --folder FOLDER  # a `vllm` package that is unpacked already
    python -m tools.read_vllm --missing               # names the newest release, exit code 1, if the tables lack it

It writes `vertex_vllm/catalog/arguments.yaml` (the values of each argument), `flags.yaml` (its versions),
`quantizations.yaml` (limits of methods and number formats) and `architectures.yaml` (models of the registry), and keeps
the rows of other versions. Reading arguments runs vLLM's own parser, which needs vLLM's CPU dependencies: the
environment in VERTEX_VLLM_RUNTIME, default `.venv-vllm`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.version_tables import ARGUMENTS, QUANTIZATIONS, read_table, with_version, write_flags, write_table
from tools.vllm_architectures import ARCHITECTURES, read_architectures, read_removed, with_architectures
from tools.vllm_quantizations import read_quantizations, read_refusing_float16, resolves_auto_dtype

HERE = Path(__file__).resolve().parent
# Platform tags of vLLM's wheels: pip downloads wheels of another platform only if it is named.
PLATFORMS = ("manylinux1_x86_64", "manylinux2014_x86_64", *(f"manylinux_2_{n}_x86_64" for n in (17, 28, 31, 34, 35)))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    parser.add_argument("--folder", type=Path, help="holds the unpacked vllm package and its metadata")
    parser.add_argument("--missing", action="store_true", help="say whether the newest release is not in the tables")
    given = parser.parse_args(arguments)
    if given.missing:
        return report_missing()
    for version in given.versions:
        if given.folder:
            record(version, given.folder)
            continue
        with tempfile.TemporaryDirectory() as folder:
            unpack(download(version, Path(folder)), Path(folder) / "unpacked")
            record(version, Path(folder) / "unpacked")
    return 0


def record(version: str, folder: Path) -> None:
    """Writes the version's facts into the tables."""
    read = introspect(version, folder)
    arguments = {**read["arguments"]}
    parsers: dict[str, dict[str, Any]] = {
        f"{kind}:{name}": {} for kind in ("tool", "reasoning") for name in read[f"{kind}_parsers"]
    }
    limits: dict[str, dict[str, Any]] = {name: {**row} for name, row in read_quantizations(folder).items()}
    formats: dict[str, dict[str, Any]] = {f"without_float16:{name}": {} for name in read_refusing_float16(folder)}
    if resolves_auto_dtype(folder):
        formats["auto_dtype"] = {}
    formats["transformers"] = {"requires": requirement(folder, "transformers")}
    added = {
        ARGUMENTS: {"arguments": arguments, "parsers": parsers},
        QUANTIZATIONS: {"quantizations": limits, "formats": formats},
    }
    for place, sections in added.items():
        write_table(place, with_version(read_table(place), version, sections))
    write_flags(read_table(ARGUMENTS))
    architectures = write_architectures(version, folder)
    print(
        f"{version}: {len(arguments)} arguments, {len(parsers)} parsers, {len(limits)} quantisation methods, "
        f"{architectures} architectures"
    )


def write_architectures(version: str, folder: Path) -> int:
    """Puts the version's architectures into their table; returns how many it has."""
    found = read_architectures(folder)
    if found:
        text = ARCHITECTURES.read_text(encoding="utf-8")
        written = with_architectures(text, version, found, read_removed(folder))
        ARCHITECTURES.write_text(written, encoding="utf-8")
    return len(found)


def introspect(version: str, folder: Path) -> dict[str, Any]:
    """The facts that vLLM's own parser gives, read in the environment with vLLM's dependencies."""
    runtime = Path(os.environ.get("VERTEX_VLLM_RUNTIME") or HERE.parent / ".venv-vllm")
    command = [str(runtime / "bin" / "python"), str(HERE / "vllm_introspection.py"), str(folder), version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{version}: its parser could not be made: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def download(version: str, folder: Path) -> Path:
    """Downloads the version's wheel, 200 to 500 MB."""
    options = [f"--platform={each}" for each in PLATFORMS] + [f"--abi={each}" for each in ("cp312", "abi3", "none")]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    python = ["--python-version=3.12", "--implementation=cp"]
    subprocess.run([*pip, *python, *options, f"--dest={folder}", f"vllm=={version}"], check=True)
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> None:
    """Unpacks only Python files and metadata, because compiled files are most of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if (name.startswith("vllm/") and name.endswith(".py")) or name.endswith("METADATA"):
                archive.extract(name, folder)


def requirement(folder: Path, package: str) -> str:
    """The version's requirement of a package, for example `>=4.55.2`; empty if it has none."""
    metadata = next(iter(folder.glob("*.dist-info/METADATA")), None)
    lines = metadata.read_text(encoding="utf-8").splitlines() if metadata else []
    found = (re.fullmatch(rf"Requires-Dist: {package}\b *([^;\[]*)", line) for line in lines)
    return next((match[1].strip() for match in found if match), "")


def report_missing() -> int:
    """Returns 1, and prints a line, if PyPI has a newer release than the tables; else 0."""
    newest, known = newest_release(), read_table(ARGUMENTS)["checked"]
    if newest in known:
        return 0
    print(
        f"vLLM {newest} is not in the catalogue's tables, which end with {known[-1]}. "
        f"Read it: python -m tools.read_vllm {newest}"
    )
    return 1


def newest_release() -> str:
    """vLLM's newest release, from pip's line `vllm (0.33.0)`."""
    pip = [sys.executable, "-m", "pip", "index", "versions", "vllm"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    named = re.search(r"^vllm \(([0-9.post]+)\)$", done.stdout, re.MULTILINE)
    if named is None:
        sys.exit(f"pip does not tell vLLM's newest release: {done.stderr.strip()[-200:]}")
    return named[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
